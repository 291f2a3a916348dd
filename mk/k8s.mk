# deploy/k8s, rendered, checked and run (tests/k8s/README.md).

.PHONY: test-k8s
test-k8s: ## render deploy/k8s, check it, and run its dev overlay with podman: the last part needs root
	@$(MAKE) deps DEPS="$(or $(DEPS),build run test containers)"
	@$(MAKE) $(JOBS) $(SERVICES:%=$(BIN)/%) $(BIN)/skeinctl
	@tests/k8s/tools build/k8s-tools
	@BIN=$(abspath $(BIN)) /usr/bin/python3 -m pytest -q -rs -p no:cacheprovider tests/k8s
