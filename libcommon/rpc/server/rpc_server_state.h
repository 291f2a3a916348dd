#ifndef SKEIN_RPC_SERVER_RPC_SERVER_STATE_H
#define SKEIN_RPC_SERVER_RPC_SERVER_STATE_H

#include <grpc/grpc.h>
#include <stdatomic.h>

#include "base/list.h"
#include "rpc/core/rpc_queue.h"
#include "rpc/server/rpc_server.h"

/* Inside rpc/ only: what the server's files share. rpc_server.c owns its life, each other file one kind of call. */

/* Requests posted for each method: a call finds one waiting unless this many came since the queue's thread last looked. */
#define RPC_UNARY_SLOTS 32
#define RPC_STREAM_SLOTS 4
#define RPC_UNKNOWN_SLOTS 4

/* Calls and streams open at once; who comes on top is refused with ERR_UNAVAILABLE. */
#define RPC_SERVER_CALLS_MAX 32768

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
	struct rpc_server_options options;
	struct rpc_endpoint *endpoints;
	size_t endpoint_count;
	atomic_bool is_serving;
	atomic_uint holds; /* by each call, stream and posted request, and by the server itself until it has stopped */

	uv_mutex_t lock;
	struct list streams; /* guarded by lock */
	bool is_closing; /* guarded by lock */

	struct timer grace;
	struct rpc_tag stopped;
	struct task destroy;
	void (*closed)(void *arg);
	void *closed_arg;
};

/* The last hold is gone: nothing will be started any more, the queue can end. Thread: any. */
void rpc_server_let_go(struct rpc_server *server);

/* rpc_server_slots.c: posts requests for all endpoints and for unknown methods; they end with the server. */
void rpc_slots_post(struct rpc_server *server);

/* rpc_server_calls.c: takes over what came with the request. */
void rpc_call_begin(const struct rpc_endpoint *endpoint, grpc_call *call, grpc_metadata_array metadata,
                    grpc_byte_buffer *request);

/* Answers a call of whatever kind with an error. */
void rpc_call_refuse(struct rpc_server *server, grpc_call *call, err_t err, const char *detail);

/* rpc_server_streams.c: takes over the call. */
void rpc_server_stream_begin(const struct rpc_endpoint *endpoint, grpc_call *call);

/* Ends all streams, and those that still come. */
void rpc_server_streams_finish(struct rpc_server *server);

/* rpc_server_builtin.c: the methods that every server has. */
size_t rpc_builtin_endpoints(struct rpc_server *server, struct rpc_endpoint *out);
#define RPC_BUILTIN_MAX 2

#endif
