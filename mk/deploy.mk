# The cluster in containers, tested as a user starts it (tests/deploy/README.md).

.PHONY: test-compose
test-compose: ## build the image, start docker-compose.yml, and break it: needs root, and a Docker daemon or one to start
	@$(MAKE) deps DEPS="$(or $(DEPS),build run test)"
	@$(MAKE) $(JOBS) all
	@BIN=$(abspath $(BIN)) /usr/bin/python3 -m pytest -q -rs -p no:cacheprovider tests/deploy
