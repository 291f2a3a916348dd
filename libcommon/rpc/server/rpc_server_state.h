#ifndef SKEIN_RPC_SERVER_RPC_SERVER_STATE_H
#define SKEIN_RPC_SERVER_RPC_SERVER_STATE_H

#include <grpc/grpc.h>
#include <stdatomic.h>

#include "base/list.h"
#include "rpc/core/rpc_queue.h"
#include "rpc/server/rpc_method.h"

/*
 * The state that all parts of a server share; rpc_server.c makes and ends it.
 *
 * The server lives as long as somebody holds it: each call, each stream, each
 * request that is posted to gRPC, and the server itself until gRPC has stopped.
 */

/* A method as it is registered with gRPC. */
struct rpc_endpoint {
	struct rpc_server *server;
	const struct rpc_method *method;
	void *arg;
	bool is_lockstep; /* see struct rpc_stream */
	void *registered;
};

struct rpc_server {
	struct worker *worker;
	struct rpc_queue queue;
	grpc_server *grpc;
	struct rpc_endpoint *endpoints;
	size_t endpoint_count;
	struct str descriptor_set;
	atomic_bool is_serving;
	atomic_uint holds;
	struct task destroy; /* posted to the worker when the last hold is released */

	uv_mutex_t lock;
	struct list streams; /* guarded by lock */
	bool is_closing; /* guarded by lock */

	struct timer grace;
	struct rpc_tag stopped;
	void (*closed)(void *arg);
	void *closed_arg;
};

/* Thread: any. */
static inline void rpc_server_hold(struct rpc_server *server)
{
	atomic_fetch_add_explicit(&server->holds, 1, memory_order_relaxed);
}

/* After the last release nothing is started any more, and the queue can end. Thread: any. */
static inline void rpc_server_release(struct rpc_server *server)
{
	if (atomic_fetch_sub_explicit(&server->holds, 1, memory_order_acq_rel) == 1)
		worker_post(server->worker, &server->destroy);
}

#endif
