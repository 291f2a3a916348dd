#ifndef SKEIN_RPC_SERVER_RPC_METHOD_H
#define SKEIN_RPC_SERVER_RPC_METHOD_H

#include "base/error.h"
#include "base/text/str.h"
#include "rpc/rpc_stream.h"

/*
 * One method of a server, and the functions that its handler calls. Requests and
 * responses are serialized messages, which the handler packs and unpacks.
 *
 * Handlers run on the worker's thread. Those of a method with RPC_ON_QUEUE run
 * on the completion queue's own thread: they must not block, only hand over.
 */

struct rpc_call; /* one unary call */

enum rpc_thread { RPC_ON_LOOP, RPC_ON_QUEUE };

struct rpc_method {
	const char *path; /* "/skein.v1.Im/Send" */
	enum rpc_thread thread;
	/* One of the two. `request` is valid during the call. A unary call needs exactly one reply, from any thread. */
	void (*unary)(struct rpc_call *call, struct str request, void *arg);
	const struct rpc_stream_handlers *stream;
};

/* Copies `message`. The call must not be used afterwards. Thread: any. */
void rpc_reply(struct rpc_call *call, struct str message);

/* As above. `detail` goes into the status; it may be NULL. */
void rpc_reply_error(struct rpc_call *call, err_t err, const char *detail);

/* The caller's `traceparent` metadata; empty if it has none or it is malformed. Valid until the reply. */
struct str rpc_call_traceparent(const struct rpc_call *call);

/* Ends a server's stream now, with that status. Queued messages are dropped; `closed` follows. Thread: any. */
void rpc_stream_end(struct rpc_stream *stream, err_t err, const char *detail);

#endif
