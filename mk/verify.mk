# Test suites. An integration test is tests/integration/PART_NAME_test.c: it links all of libcommon and the other sources
# beside it, and starts the servers that it needs itself. tests/run builds and runs suites, counts, and says which failed.

INTEGRATION_SOURCES := $(wildcard tests/integration/*_test.c)
INTEGRATION_TESTS := $(INTEGRATION_SOURCES:%.c=$(OUT)/%)
integration_shared_of = $(filter-out %_test.c,$(wildcard tests/integration/$(1)_*.c))
INTEGRATION_SHARED := $(call objects,$(filter-out %_test.c $(foreach s,$(SERVICES),$(call integration_shared_of,$(s))),$(wildcard tests/integration/*.c)))
RUN_SUITES = tests/run --out $(patsubst %/$(BUILD),%,$(OUT))

# One that is about a part of a service (SERVICE_NAME_test.c) links that service, too, and what it uses of what the service's
# tests share (SERVICE_*.c): one that plays some of the service itself does without.
define integration_of_service
$(patsubst %.c,$(OUT)/%,$(wildcard tests/integration/$(1)_*_test.c)): $(OUT)/lib/lib$(1)-tests.a $(OUT)/lib/lib$(1).a
$(OUT)/lib/lib$(1)-tests.a: $(call objects,$(call integration_shared_of,$(1)))
	$$(archive)
endef
$(foreach s,$(SERVICES),$(if $(wildcard tests/integration/$(s)_*_test.c),$(eval $(call integration_of_service,$(s)))))

$(OUT)/tests/integration/%_test: $(OUT)/obj/tests/integration/%_test.o $(INTEGRATION_SHARED) $(COMMON_LIBS)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) $(LDFLAGS) -o $@ $(filter %.o,$^) $(filter-out $(COMMON_LIBS),$(filter %.a,$^)) $(COMMON_LIBS) $(LIBS) -lcmocka

# An application over the client library, with nothing but what such a one links.
CLIENT_DRIVER := $(BIN)/client_driver
$(CLIENT_DRIVER): $(OUT)/obj/tests/integration/libclient/driver.o $(CLIENT_LIB)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) $(LDFLAGS) -o $@ $^ $(CLIENT_LIBS)

.PHONY: unit-tests integration-tests test test-full check ci integration e2e model coverage
unit-tests: $(UNIT_CHOSEN)
integration-tests: $(INTEGRATION_TESTS) $(CLIENT_DRIVER)

check: ## the fast tests: unit tests, plain and under asan + ubsan
	@$(MAKE) deps
	@$(RUN_SUITES) check

test: ## all that has to pass: lint, unit (also asan), integration under asan, end to end
	@$(MAKE) deps
	@$(RUN_SUITES) test

test-full: ## test, and what takes hours: tsan, e2e under sanitizers, chaos and its selfcheck, fuzz, models, bench-gate. PART=tsan: only this part
	@$(MAKE) deps
	@$(RUN_SUITES) $(or $(PART),full)

integration: ## each store and rpc wrapper against real servers
	@$(MAKE) deps
	@$(RUN_SUITES) integration

e2e: ## the contract, against a cluster of its own
	@$(MAKE) deps
	@$(RUN_SUITES) e2e

model: ## the protocols as models, exhaustively, and without each of their rules (DEEP=1: larger bounds)
	@tests/model/run $(if $(DEEP),--deep) --out $(patsubst %/$(BUILD),%,$(OUT))/model $(TEST)

coverage: ## run all tests with gcov and print how much they cover
	@$(MAKE) deps
	@$(RUN_SUITES) coverage

# What .ci/run calls: test, and one part of test-full a day.
ci:
	@$(RUN_SUITES) ci
