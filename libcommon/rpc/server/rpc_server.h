#ifndef SKEIN_RPC_SERVER_RPC_SERVER_H
#define SKEIN_RPC_SERVER_RPC_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text/str.h"
#include "loop/worker.h"
#include "rpc/server/rpc_method.h"

/*
 * A gRPC server on the C core: one completion queue with a thread that always
 * waits in it. rpc_method.h says what a handler sees. The health service
 * (grpc.health.v1.Health/Check) and reflection are built in.
 *
 * It owns the listening port from rpc_server_new() to rpc_server_close().
 */

struct rpc_server;

struct rpc_server_options {
	const char *listen; /* as in loop/listener.h; gRPC takes 0.0.0.0 for [::] */
	const struct rpc_method *methods; /* lives as long as the server */
	size_t method_count;
	void *arg;
	size_t max_message; /* bytes of a received message; 0: RPC_MESSAGE_MAX; raised to 256 KiB if there is a stream */
	/* A serialized FileDescriptorSet for reflection; lives as long as the server; may be empty. */
	struct str descriptor_set;
};

/*
 * ERR_IO or ERR_BAD_CONFIG, logged: it cannot listen. ERR_INVALID_ARGUMENT: the descriptor set does not parse. Thread: the
 * worker's.
 */
err_t rpc_server_new(struct rpc_server **out, struct worker *worker, const struct rpc_server_options *options) MUST_CHECK;

/* What Health/Check answers; SERVING at first. Thread: any. */
void rpc_server_set_serving(struct rpc_server *server, bool is_serving);

/*
 * Refuses new calls, ends each stream after its queued messages were sent, and gives calls under way grace_ms; then the
 * remaining calls are cancelled. A client that writes on a stream before it has read those messages loses them with the
 * connection, so important messages need an acknowledgement. A cancelled call still needs its rpc_reply(). `closed` comes on
 * the worker's thread, after every call was replied and all memory was freed. Thread: the worker's.
 */
void rpc_server_close(struct rpc_server *server, uint64_t grace_ms, void (*closed)(void *arg), void *arg);

#endif
