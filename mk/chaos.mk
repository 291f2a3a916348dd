# Chaos: clients and proxies of tests/chaos, and what drives them (tests/chaos/README.md).

# Like an application: the client library, and what that wants.
CHAOS_CLIENTS := $(BIN)/chaos_clients
$(CHAOS_CLIENTS): $(call objects,$(addprefix tests/chaos/,clients.c device.c)) $(CLIENT_LIB)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) $(LDFLAGS) -o $@ $^ $(CLIENT_LIBS)

CHAOS_PROXY := $(BIN)/chaos_proxy
$(CHAOS_PROXY): $(call objects,tests/chaos/proxy.c)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) $(LDFLAGS) -o $@ $^ -luv

.PHONY: chaos chaos-selfcheck chaos-programs
chaos-programs: $(CHAOS_CLIENTS) $(CHAOS_PROXY)

chaos: ## break one thing after the other under hundreds of clients; nothing may be lost: SEED= MINUTES= FAULTS= KAFKAS=3
	@$(MAKE) deps
	@$(MAKE) $(JOBS) all chaos-programs
	@tests/chaos/chaos --bin $(abspath $(BIN)) $(if $(SEED),--seed $(SEED)) $(if $(MINUTES),--minutes $(MINUTES)) \
		$(if $(FAULTS),--faults $(FAULTS)) $(if $(KAFKAS),--kafkas $(KAFKAS)) $(if $(PORT_BASE),--port-base $(PORT_BASE))

chaos-selfcheck: ## switch one mechanism off at a time, and see that chaos notices: ONLY=commit_early
	@$(MAKE) deps
	@$(MAKE) $(JOBS) all chaos-programs $(OUT)/tests/integration/im_send_test \
		$(OUT)/tests/integration/im_lost_answers_test $(OUT)/tests/integration/im_entries_test
	@$(MAKE) $(JOBS) BUILD=sabotage OUT=build/sabotage BIN=build/sabotage/bin all chaos-programs
	@tests/chaos/selfcheck $(if $(ONLY),--only $(ONLY))
