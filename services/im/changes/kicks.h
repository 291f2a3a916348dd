#ifndef SKEIN_IM_CHANGES_KICKS_H
#define SKEIN_IM_CHANGES_KICKS_H

#include "base/list.h"
#include "im/changes/change_feed.h"
#include "rpc/client/rpc_client.h"

/* The call of router that closes connections of a user. The time-out is longer than the 2 s that router gives the gateways. */
#define KICK_PATH "/skein.v1.Router/Kick"
#define KICK_TIMEOUT_MS 3000

/*
 * Closes the connections that a change ends: those of a revoked token, of a user who was disabled or deleted, and those that
 * were opened with a token from before a logout of all. It asks router until that succeeds, for 10 s at most. 9 s later it
 * asks once more: a connection that im admitted before the change may have been bound after the first kick. A gateway gives
 * a connection 8 s to open, so the second kick finds it. Thread: the worker's.
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

/* A change was learned (change_feed.h). */
void kicks_learn(struct kicks *kicks, const struct change *change);

#endif
