#ifndef SKEIN_RPC_CLIENT_RPC_CLIENT_H
#define SKEIN_RPC_CLIENT_RPC_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text/str.h"
#include "loop/worker.h"
#include "rpc/server/rpc_server.h" /* struct rpc_stream and its functions */

/*
 * The client's side. A `struct rpc_client` is a completion queue with its
 * thread, for all channels of a process; a channel is one service, by a list of
 * addresses ("127.0.0.1:9201,127.0.0.1:9202", or "dns:name:port" for a name with
 * several): calls go round robin over those that are up and fail over by
 * themselves. Lost connections come back (100-500 ms), frozen peers are noticed
 * (keepalive 2 s / 1 s). All callbacks come on the thread of the worker that was
 * given with the call or stream.
 *
 * When an address dies, the calls that were on their way to it end in
 * ERR_UNAVAILABLE; later ones go elsewhere. Nothing is called a second time by
 * itself: only the caller knows whether that would do harm.
 *
 * The end: rpc_stream_close() for the streams, rpc_channel_close() for the
 * channels, rpc_client_close(); workers stop after its `closed` came.
 */

struct rpc_client;
struct rpc_channel;

err_t rpc_client_new(struct rpc_client **out) MUST_CHECK;

/*
 * After rpc_channel_close() for all its channels. Never blocks: `closed` comes on the worker's thread when every callback
 * that was due has been made and all is freed. Thread: any.
 */
void rpc_client_close(struct rpc_client *client, struct worker *worker, void (*closed)(void *arg), void *arg);

/* ERR_BAD_CONFIG: not a list of addresses, or several names. Starts to connect. Thread: any. */
err_t rpc_channel_new(struct rpc_channel **out, struct rpc_client *client, const char *targets) MUST_CHECK;

/*
 * The channel must not be used any more; its streams were closed before. Calls under way end in ERR_CLOSED, on their
 * workers, after this returns. Never blocks. Thread: any.
 */
void rpc_channel_close(struct rpc_channel *channel);

/* Is any address of it connected. Thread: any. */
bool rpc_channel_is_up(const struct rpc_channel *channel);

/*
 * `response` is valid during the call. Besides what the server sent as its
 * error (by code, when it is a Skein service: it travels in the metadata):
 *   ERR_UNAVAILABLE       no server could be reached, or it was lost under the call: then it may have been executed
 *   ERR_TIMEOUT           no answer by the deadline: it may have been executed
 *   ERR_TOO_LARGE         the request or the response is over the receiver's limit
 *   ERR_CLOSED            rpc_channel_close()
 * `detail` is the server's or the library's sentence in printable ASCII, or "".
 */
typedef void (*rpc_done)(void *arg, err_t err, struct str response, const char *detail);

/*
 * Thread: any; `done` comes exactly once, on the worker's thread, never before this returns there. `request` is copied. A
 * call waits for a connection until its deadline if `wait_for_ready`, else it fails at once without one. `traceparent` may
 * be empty; one that is not well-formed is not sent.
 */
void rpc_call(struct rpc_channel *channel, struct worker *worker, const char *path, struct str request,
              uint64_t timeout_ms, bool wait_for_ready, struct str traceparent, rpc_done done, void *arg);

/*
 * A stream that is opened again whenever it closes (100-500 ms, jittered), until
 * rpc_stream_close(). Handlers run on the worker's thread. Never NULL.
 * max_queued: bytes that may wait unsent; they are dropped when the stream goes
 * down. `path` and `handlers` live as long as the stream. Thread: the worker's,
 * or any before it runs.
 */
struct rpc_stream *rpc_stream_open(struct rpc_channel *channel, struct worker *worker, const char *path,
                                   const struct rpc_stream_handlers *handlers, size_t max_queued, void *arg);

/*
 * Gives the stream's call up, as if it had been lost: `closed`, and soon `opened`, at the next address that is up. For a
 * peer that is alive and does not do its work. Thread: the worker's.
 */
void rpc_stream_reopen(struct rpc_stream *stream);

/* No handler is called after it; other threads with a reference get ERR_CLOSED from sending. Thread: the worker's. */
void rpc_stream_close(struct rpc_stream *stream);

#endif
