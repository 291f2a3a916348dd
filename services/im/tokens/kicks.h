#ifndef SKEIN_IM_TOKENS_KICKS_H
#define SKEIN_IM_TOKENS_KICKS_H

#include "base/list.h"
#include "im/tokens/revocation_feed.h"
#include "rpc/client/rpc_client.h"

/*
 * Closes connections that were opened with a revoked token. It asks router until that succeeds, for 10 s at most.
 * 9 s later it asks once more: a connection that im admitted before the token was revoked may have been bound after
 * the first kick. A gateway gives a connection 8 s to open, so the second kick finds it. Thread: the worker's.
 */
struct kicks {
	struct worker *worker;
	struct rpc_channel *routers;
	struct list open; /* of struct kick */
	unsigned count;
	bool is_closed;
};

void kicks_init(struct kicks *kicks, struct worker *worker, struct rpc_channel *routers);

/* Before the channel is closed. Kicks that are not done are given up. */
void kicks_close(struct kicks *kicks);

void kicks_log_out(struct kicks *kicks, const struct revocation *revocation);

#endif
