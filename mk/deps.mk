# What the build, the local cluster and the tests need, and nothing when it is there already.

KAFKA_JARS ?= build/kafka

.PHONY: deps
deps: ## install the packages of mk/packages.txt and fetch Kafka's jars
	@mk/install-packages
	@deploy/local/kafka/fetch $(KAFKA_JARS)
