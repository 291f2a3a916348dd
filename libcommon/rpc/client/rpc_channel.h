#ifndef SKEIN_RPC_CLIENT_RPC_CHANNEL_H
#define SKEIN_RPC_CLIENT_RPC_CHANNEL_H

#include <grpc/grpc.h>
#include <stdatomic.h>

#include "base/list.h"
#include "rpc/client/rpc_client.h"
#include "rpc/core/rpc_queue.h"

/*
 * Inside rpc/ only: what the client's files share. rpc_client.c owns clients
 * and channels. Both are counted: a channel by its owner, its calls, its
 * streams and its watch, a client by its owner and its channels; the last one
 * out closes the queue.
 */

struct rpc_client {
	struct rpc_queue queue;
	atomic_uint refs;
	struct worker *worker;
	void (*closed)(void *arg);
	void *closed_arg;
};

struct rpc_channel {
	atomic_uint refs;
	struct rpc_client *client;
	char *targets; /* for the log */
	grpc_channel *grpc; /* until the channel is closed */
	atomic_uint open_streams;
	atomic_bool is_up;
	struct rpc_tag state_changed;
	grpc_connectivity_state state; /* that the watch compares with; the queue's thread's */

	uv_mutex_t lock;
	struct list calls; /* guarded by lock */
	bool is_closed; /* guarded by lock */
};

void rpc_channel_ref(struct rpc_channel *channel);
void rpc_channel_unref(struct rpc_channel *channel);

/* rpc_client_calls.c. Under the channel's lock. */
void rpc_client_calls_cancel(struct rpc_channel *channel);

#endif
