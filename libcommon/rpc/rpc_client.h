#ifndef SKEIN_RPC_RPC_CLIENT_H
#define SKEIN_RPC_RPC_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"
#include "loop/worker.h"
#include "rpc/rpc_server.h" /* struct rpc_stream and its functions */

/*
 * The client's side. A `struct rpc_client` is a completion queue with its
 * thread, for all channels of a process; a channel is one service, by a list of
 * addresses ("127.0.0.1:9201,127.0.0.1:9202", or "dns:name:port" for a name with
 * several): calls go round robin over those that are up and fail over by
 * themselves. Lost connections come back (100-500 ms), frozen peers are noticed
 * (keepalive 2 s / 1 s). All callbacks come on the thread of the worker that was
 * given with the call or stream.
 */

struct rpc_client;
struct rpc_channel;

err_t rpc_client_new(struct rpc_client **out) MUST_CHECK;

/* All its channels must be closed. Blocks until the queue's thread has ended. */
void rpc_client_free(struct rpc_client *client);

err_t rpc_channel_new(struct rpc_channel **out, struct rpc_client *client, const char *targets) MUST_CHECK;

/* Calls under way end in ERR_CLOSED, streams are closed for good. Blocks for a moment at most; callbacks that are due come before it or never. */
void rpc_channel_close(struct rpc_channel *channel);

/* Is any address of it connected. Thread: any. */
bool rpc_channel_is_up(const struct rpc_channel *channel);

/*
 * `response` is valid during the call. Besides what the server sent as its
 * error (by code, when it is a Skein service: it travels in the metadata):
 *   ERR_UNAVAILABLE       nobody took the call
 *   ERR_TIMEOUT           no answer by the deadline: it may have been executed
 * `detail` is the server's sentence, or "".
 */
typedef void (*rpc_done)(void *arg, err_t err, struct str response, const char *detail);

/*
 * Thread: any; `done` comes on the worker's thread. `request` is copied. A call waits for a connection until its deadline
 * if `wait_for_ready`. `traceparent` may be empty.
 */
void rpc_call(struct rpc_channel *channel, struct worker *worker, const char *path, struct str request,
              uint64_t timeout_ms, bool wait_for_ready, struct str traceparent, rpc_done done, void *arg);

/*
 * A stream that is opened again whenever it closes (100-500 ms, jittered), until
 * rpc_stream_close(). Handlers run on the worker's thread. Never NULL.
 * max_queued: bytes that may wait unsent.
 */
struct rpc_stream *rpc_stream_open(struct rpc_channel *channel, struct worker *worker, const char *path,
                                   const struct rpc_stream_handlers *handlers, size_t max_queued, void *arg);

/* No handler is called after it. Thread: the worker's. */
void rpc_stream_close(struct rpc_stream *stream);

#endif
