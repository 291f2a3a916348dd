# Two versions side by side (tests/upgrade/README.md).

.PHONY: test-upgrade
test-upgrade: ## an older version becomes this one, process by process, under traffic, and back: builds the older one
	@$(MAKE) deps DEPS="$(or $(DEPS),build run test)"
	@$(MAKE) $(JOBS) all
	@BIN=$(abspath $(BIN)) /usr/bin/python3 -m pytest -q -rs -p no:cacheprovider tests/upgrade
