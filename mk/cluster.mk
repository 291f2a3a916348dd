# The cluster on one machine: deploy/local/cluster with make's variables in its environment.

export RUN_DIR PORT_BASE SIZE GATEWAYS IMS PUSHES ROUTERS KAFKAS LIMITS LISTEN KAFKA_HEAP WEBHOOK_URL WEBHOOK_BEFORE
CLUSTER := BIN=$(abspath $(BIN)) KAFKA_JARS=$(abspath $(KAFKA_JARS)) deploy/local/cluster

.PHONY: up down status logs restart rolling-restart clean-data
# A make of its own for `all`: the libraries may only just have been installed, and flags.mk asks where they are.
up: ## build and start the cluster: SIZE=small (1 of each service, else 2) GATEWAYS= IMS= PUSHES= ROUTERS= KAFKAS=3 PORT_BASE= LIMITS=off LISTEN=0.0.0.0 RUN_DIR=
	@$(MAKE) deps DEPS="$(or $(DEPS),build run)"
	@$(MAKE) $(JOBS) all
	@$(CLUSTER) up

down: ## stop the cluster, keep its data
	@$(CLUSTER) down

status: ## what of the cluster runs, and where
	@$(CLUSTER) status

logs: ## the logs of the cluster (NAME=gateway-1 for one process)
	@$(CLUSTER) logs $(NAME)

restart: ## restart one process of the cluster, with its drain: NAME=gateway-1
	@$(CLUSTER) restart $(NAME)

rolling-restart: ## restart every service of the cluster, one after the other, each with its drain
	@$(CLUSTER) rolling-restart

clean-data: ## remove the data of the cluster, which must be down
	@$(CLUSTER) clean-data
