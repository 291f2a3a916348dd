#ifndef SKEIN_RPC_CLIENT_RPC_CHANNEL_H
#define SKEIN_RPC_CLIENT_RPC_CHANNEL_H

#include <grpc/grpc.h>
#include <stdatomic.h>

#include "base/list.h"
#include "rpc/core/rpc_queue.h"

/*
 * A client and its channels, as the files of this folder see them: rpc_channel.c
 * owns both; calls and streams use a channel. Both are reference counted. A
 * channel is held by its owner, its calls, its streams and its watch; a client
 * by its owner and its channels. The last release closes the queue.
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
	grpc_connectivity_state state; /* the state that the watch compares with. Thread: the queue's */
	bool is_missed; /* the log says that nobody is there. Thread: the queue's */

	uv_mutex_t lock;
	struct list calls; /* of struct channel_call; guarded by lock */
	bool is_closed; /* guarded by lock */
};

/* A unary call under way: closing the channel cancels it. */
struct channel_call {
	struct list link;
	grpc_call *call;
};

void rpc_channel_ref(struct rpc_channel *channel);
void rpc_channel_unref(struct rpc_channel *channel);

#endif
