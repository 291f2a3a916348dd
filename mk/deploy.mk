# The cluster in containers, tested as a user starts it (tests/deploy/README.md).

.PHONY: test-compose
test-compose: ## build the image, start docker-compose.yml, and break it: needs root, and a Docker daemon or one to start
	@$(MAKE) deps DEPS="$(or $(DEPS),build run test)"
	@/usr/bin/python3 -m pytest -q -rs -p no:cacheprovider tests/deploy --ignore=tests/deploy/k8s

.PHONY: test-k8s
test-k8s: ## render deploy/k8s, check it, and run its dev overlay with podman: the last part needs root
	@$(MAKE) deps DEPS="$(or $(DEPS),build run test)"
	@$(MAKE) $(JOBS) $(SERVICES:%=$(BIN)/%) $(BIN)/skeinctl
	@tests/deploy/k8s/tools build/k8s-tools
	@/usr/bin/python3 -m pytest -q -rs -p no:cacheprovider tests/deploy/k8s
