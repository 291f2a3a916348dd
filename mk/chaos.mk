# Chaos: clients and proxies of tests/chaos, and what drives them (tests/chaos/README.md).

# Like an application: the client library, and what that wants.
CHAOS_CLIENTS := $(BIN)/chaos_clients
$(CHAOS_CLIENTS): $(call objects,$(addprefix tests/chaos/,clients.c device.c)) $(CLIENT_LIB)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) $(LDFLAGS) -o $@ $^ -lcurl -ljansson -luv -lcrypto -lpthread

CHAOS_PROXY := $(BIN)/chaos_proxy
$(CHAOS_PROXY): $(call objects,tests/chaos/proxy.c)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS_ALL) $(LDFLAGS) -o $@ $^ -luv
