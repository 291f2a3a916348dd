# Checks of the sources (tests/lint/run) and their layout. What is checked file by file leaves a stamp below OUT, so that
# a second run looks only at what changed.

LINT_HEADERS := $(shell find libcommon libclient services tools tests -name '*.h')
LINT_SOURCES := $(shell find libcommon libclient services tools tests -name '*.c')

.PHONY: lint lint-headers lint-tidy fmt docs print-configuration proto-baseline
lint: ## check the sources: clang-tidy, banned functions, layers, headers, layout, scripts, documents
	@$(MAKE) deps
	@$(MAKE) $(JOBS) all
	@OUT=$(OUT) BIN=$(BIN) MAKE=$(MAKE) tests/lint/run

fmt: ## lay the C files out as .clang-format says
	@tests/lint/format.py --fix $(LINT_HEADERS) $(shell find libcommon libclient services tools tests -name '*.c')

proto-baseline: ## accept proto/ as it is: later versions must stay compatible with this one
	@tests/lint/tools build/lint-tools
	@build/lint-tools/buf build . --config tests/lint/buf.yaml --path proto --exclude-source-info -o tests/lint/proto-baseline.binpb

lint-headers: $(LINT_HEADERS:%=$(OUT)/lint/headers/%)
lint-tidy: $(LINT_SOURCES:%=$(OUT)/lint/tidy/%)

$(OUT)/lint/headers/%.h: %.h $(OUT)/flags | $(GEN_H) $(INCLUDE_VIEWS)
	@mkdir -p $(@D)
	@echo '#include "$(abspath $<)"' | $(CC) $(call includes_of,$<) $(CPPFLAGS) $(CFLAGS_ALL) -x c -fsyntax-only -
	@echo '#include "$(abspath $<)"' | $(CC) $(call includes_of,$<) $(CPPFLAGS) -x c -MM -MP -MT $@ -MF $@.d -
	@touch $@

# Unit and integration tests have fewer checks, in a .clang-tidy of their own.
$(OUT)/lint/tidy/%.c: %.c .clang-tidy $(wildcard tests/*/.clang-tidy) $(OUT)/flags | $(GEN_H) $(INCLUDE_VIEWS)
	@mkdir -p $(@D)
	@clang-tidy --quiet $< -- $(call includes_of,$<) $(CPPFLAGS) -std=gnu11 $(filter-out -Werror,$(WARNINGS)) -DSKEIN_VERSION='"lint"' \
		>$@.out 2>/dev/null || { cat $@.out; exit 1; }
	@$(CC) $(call includes_of,$<) $(CPPFLAGS) -MM -MP -MT $@ -MF $@.d $<
	@touch $@

-include $(shell find $(OUT)/lint -name '*.d' 2>/dev/null)

print-configuration: $(SERVICES:%=$(BIN)/%)
	@cat mk/configuration-head.md
	@for service in $(SERVICES); do $(BIN)/$$service --config-markdown || exit 1; done

docs: ## write docs/operate/configuration.md anew from the services' own tables
	@$(MAKE) $(JOBS) all
	@$(MAKE) -s print-configuration > docs/operate/configuration.md.new && mv docs/operate/configuration.md.new docs/operate/configuration.md
