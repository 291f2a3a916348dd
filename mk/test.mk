# Tests. A unit test is tests/unit/PART/NAME_test.c: PART is a layer of libcommon or a service, and the test links what
# that part may use, and the other sources beside it (what the tests of a part share). `make unit TEST=base/list` runs one.

UNIT_SOURCES := $(wildcard tests/unit/*/*_test.c tests/unit/*/*/*_test.c)
UNIT_TESTS := $(UNIT_SOURCES:tests/unit/%.c=$(OUT)/tests/unit/%)
TEST ?=
UNIT_CHOSEN := $(if $(TEST),$(foreach t,$(TEST),$(filter $(OUT)/tests/unit/$(t)%,$(UNIT_TESTS))),$(UNIT_TESTS))

# The linker reads archives from left to right, so the users of a layer come before it.
$(foreach l,$(LAYERS),$(eval libs_of_$(l) := $(call reversed,$(filter $(l) $(may_include_$(l)),$(LAYERS)))))
$(foreach s,$(SERVICES),$(eval libs_of_$(s) := $(s) $(call reversed,$(LAYERS))))
libs_of_libclient := client base

shared_by_tests_of = $(call objects,$(filter-out %_test.c,$(wildcard tests/unit/$(1)/*.c tests/unit/$(1)/*/*.c)))

define unit_rule
$(OUT)/tests/unit/$(1)/%_test: $(OUT)/obj/tests/unit/$(1)/%_test.o $(call shared_by_tests_of,$(1)) $(foreach l,$(libs_of_$(1)),$(OUT)/lib/lib$(l).a) $(PROTO_LIB)
	@mkdir -p $$(@D)
	$$(call say,LD,$$@)
	$$(Q)$(CC) $(LDFLAGS_ALL) $(LDFLAGS) -o $$@ $$(filter %.o,$$^) $$(filter %.a,$$^) $(LIBS) -lcmocka
endef
$(foreach p,$(LAYERS) libclient $(SERVICES),$(eval $(call unit_rule,$(p))))
.PRECIOUS: $(OUT)/obj/%.o

.PHONY: unit
unit: $(UNIT_CHOSEN) ## run the unit tests (TEST=base/list for one, BUILD=asan|tsan under a sanitizer)
	@for t in $(UNIT_CHOSEN); do $$t || exit 1; done
