# What the build, the local cluster and the tests need, and nothing when it is there already.

KAFKA_JARS ?= build/kafka

# DEPS: parts of mk/packages.txt, those of `make test` by default; `no` installs and fetches nothing.
.PHONY: deps
deps: ## install the packages of mk/packages.txt and fetch Kafka's jars: DEPS="build run" for these parts, DEPS=no for nothing
ifneq ($(DEPS),no)
	@mk/install-packages $(or $(DEPS),build run test lint)
	@$(if $(or $(if $(DEPS),,all),$(filter run,$(DEPS))),deploy/local/kafka/fetch $(KAFKA_JARS))
endif
	@$(REDIS_LINK)

# Debian has one binary of Redis under several names, told apart by argv[0]: redis-tools ships it without the system
# service that comes with the name redis-server.
REDIS_LINK = command -v redis-server >/dev/null || \
	{ mkdir -p build/redis && ln -sf "$$(command -v redis-check-rdb)" build/redis/redis-server; }
