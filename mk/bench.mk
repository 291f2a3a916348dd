# The load tool, and runs of it against a cluster of its own.

BENCH_LIBS := $(OUT)/lib/libnet.a $(OUT)/lib/libloop.a $(OUT)/lib/libbase.a $(PROTO_LIB)
BENCH_SHARED := tools/skeinctl/cluster.c tools/skeinctl/die.c tools/skeinctl/visible.c

all: $(BIN)/skein-bench

$(BIN)/skein-bench: $(call objects,$(wildcard tests/bench/*.c) $(BENCH_SHARED)) $(BENCH_LIBS)
	$(link)

SCENARIO ?= all
.PHONY: bench
bench: all ## measure: SCENARIO=idle|p2p|group|latency|http|stalled|reconnect|drain|rolling|crash|overload|calls|all, USERS= RATE= SECONDS= CONNECTIONS= PARTNERS= SIZE=small; SEED=1|full: over a database of 100,000 or 10 million messages
	@BIN=$(BIN) USERS='$(USERS)' RATE='$(RATE)' SECONDS_='$(SECONDS)' CONNECTIONS='$(CONNECTIONS)' PARTNERS='$(PARTNERS)' SEED='$(SEED)' SIZE='$(SIZE)' \
		tests/bench/run $(SCENARIO)

.PHONY: bench-gate
bench-gate: all ## fail if a message costs over 15 % more CPU than tests/bench/gate.json has; RENEW=1: store what it costs
	@tests/bench/gate --bin $(BIN) $(if $(RENEW),--renew)
