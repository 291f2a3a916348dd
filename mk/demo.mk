# Two users on two gateways, talking.

.PHONY: demo
demo: ## bring the cluster up and watch two users talk on it
	@$(MAKE) up
	@set -a; . $(or $(RUN_DIR),.run)/env; $(BIN)/skeinctl demo
