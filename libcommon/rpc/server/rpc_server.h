#ifndef SKEIN_RPC_SERVER_RPC_SERVER_H
#define SKEIN_RPC_SERVER_RPC_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text/str.h"
#include "loop/worker.h"

/*
 * A gRPC server on the C core: one completion queue with a thread that is
 * always in it (notes/grpc-c-core.md). Unary methods and bidirectional streams
 * work on serialized messages; packing and unpacking is the caller's. The health
 * service (grpc.health.v1.Health/Check) and reflection are served by itself.
 *
 * Handlers run on the worker's thread, or, for a method with RPC_ON_QUEUE, on
 * the queue's own thread: then they must not block, only hand over.
 *
 * Merged streams: a stream's messages are batches (every field repeated), so
 * that several of them, concatenated, are one bigger batch. What is given to
 * rpc_stream_send() while a write is under way leaves as one message.
 */

struct rpc_server;
struct rpc_call; /* one unary call */
struct rpc_stream; /* one bidirectional stream, either side */

enum rpc_thread { RPC_ON_LOOP, RPC_ON_QUEUE };

/* The largest message: what a stream takes to send, and what a client receives. */
#define RPC_MESSAGE_MAX (4u << 20)

/* Any of them may be NULL. */
struct rpc_stream_handlers {
	/*
	 * Server: a peer opened the stream. Client: the stream is up. What it sends goes first: other threads can send
	 * once it has returned.
	 */
	void (*opened)(struct rpc_stream *stream, void *arg);
	/* One message (perhaps several, merged by the peer); valid during the call. */
	void (*message)(struct rpc_stream *stream, struct str message, void *arg);
	/*
	 * The last call after `opened`; the stream is freed after it returns (server), or opened again by itself after a
	 * pause (client). OK when the peer ended it in order.
	 */
	void (*closed)(struct rpc_stream *stream, err_t err, void *arg);
};

struct rpc_method {
	const char *path; /* "/skein.v1.Im/Send" */
	enum rpc_thread thread;
	/* One of the two. `request` is valid during the call; rpc_reply() must follow exactly once, from any thread. */
	void (*unary)(struct rpc_call *call, struct str request, void *arg);
	const struct rpc_stream_handlers *stream;
};

struct rpc_server_options {
	const char *listen; /* "127.0.0.1:9301" */
	const struct rpc_method *methods; /* lives as long as the server */
	size_t method_count;
	void *arg;
	size_t max_message; /* bytes received in one message; 0: RPC_MESSAGE_MAX; with streams at least 256 KiB */
	/* A serialized FileDescriptorSet for reflection; lives as long as the server; may be empty. */
	struct str descriptor_set;
};

/* ERR_IO, with a logged sentence, when it cannot listen; ERR_INVALID_ARGUMENT when the descriptor set is none. */
err_t rpc_server_new(struct rpc_server **out, struct worker *worker, const struct rpc_server_options *options) MUST_CHECK;

/* What Health/Check answers. SERVING at first. Thread: any. */
void rpc_server_set_serving(struct rpc_server *server, bool is_serving);

/*
 * Refuses new calls and ends the streams once what they have queued is sent (a client that writes before it has read all
 * of that loses the rest with the connection: what has to arrive is acknowledged); gives calls under way grace_ms, then
 * cancels what is left. A cancelled call still needs its rpc_reply(): `closed` comes, on the worker's thread, when
 * every call was replied and all is freed. Thread: the worker's.
 */
void rpc_server_close(struct rpc_server *server, uint64_t grace_ms, void (*closed)(void *arg), void *arg);

/* Thread: any. `message` is copied; with an err, `detail` (may be NULL) goes into the status. The call is gone afterwards. */
void rpc_reply(struct rpc_call *call, struct str message);
void rpc_reply_error(struct rpc_call *call, err_t err, const char *detail);

/* The caller's `traceparent` metadata, or empty (also when it is not well-formed). Valid until the reply. */
struct str rpc_call_traceparent(const struct rpc_call *call);

/*
 * Thread: any. Copies. ERR_FULL when more than the stream's limit (of a server: 8 MiB) would wait unsent: a peer that
 * does not read. ERR_CLOSED when it is down. ERR_TOO_LARGE for a message that could never be sent.
 */
err_t rpc_stream_send(struct rpc_stream *stream, struct str message) MUST_CHECK;

/* Bytes given and not yet handed to the transport. Thread: any. */
size_t rpc_stream_queued(const struct rpc_stream *stream);

/* Server: ends the stream at once with that status; what is queued is dropped. `closed` follows. Thread: any. */
void rpc_stream_end(struct rpc_stream *stream, err_t err, const char *detail);

/* The owner's pointer; set it in `opened`. */
void rpc_stream_set_context(struct rpc_stream *stream, void *context);
void *rpc_stream_context(const struct rpc_stream *stream);

/* A stream is kept, beyond its `closed`, by whoever may still want to send on it from another thread. Thread: any. */
struct rpc_stream *rpc_stream_ref(struct rpc_stream *stream);
void rpc_stream_unref(struct rpc_stream *stream);

#endif
