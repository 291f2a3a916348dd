#ifndef SKEIN_RPC_CLIENT_RPC_CLIENT_H
#define SKEIN_RPC_CLIENT_RPC_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text/str.h"
#include "loop/worker.h"
#include "rpc/rpc_stream.h"

/*
 * A gRPC client. A `struct rpc_client` is a completion queue with its thread,
 * for all channels of a process. A channel leads to one service, given as a list
 * of addresses ("127.0.0.1:9201,127.0.0.1:9202") or as one name that may have
 * several ("dns:name:port"). Calls go round robin over the addresses that are
 * up. Lost connections are made again after 100-500 ms; a silent peer is given
 * up after 3 s (keepalive 2 s, timeout 1 s).
 *
 * All callbacks come on the thread of the worker that was given with the call or
 * stream.
 *
 * Nothing is called twice by itself: calls under way to an address that fails
 * end in ERR_UNAVAILABLE, and only the caller knows whether a second call is
 * harmless.
 *
 * The end: rpc_stream_close() for the streams, rpc_channel_close() for the
 * channels, rpc_client_close(); workers stop after its `closed`.
 */

struct rpc_client;
struct rpc_channel;

err_t rpc_client_new(struct rpc_client **out) MUST_CHECK;

/*
 * Call it after rpc_channel_close() for all channels. Never blocks. `closed` comes on the worker's thread, after every
 * outstanding callback was called and all memory was freed. Thread: any.
 */
void rpc_client_close(struct rpc_client *client, struct worker *worker, void (*closed)(void *arg), void *arg);

/* Starts to connect. ERR_BAD_CONFIG: not a list of addresses, or several names. Thread: any. */
err_t rpc_channel_new(struct rpc_channel **out, struct rpc_client *client, const char *targets) MUST_CHECK;

/*
 * The streams were closed before; the channel must not be used afterwards. Calls under way end in ERR_CLOSED, on their
 * workers, after this returns. Never blocks. Thread: any.
 */
void rpc_channel_close(struct rpc_channel *channel);

/* Whether any of its addresses is connected. Thread: any. */
bool rpc_channel_is_up(const struct rpc_channel *channel);

/*
 * `response` is valid during the call. `err` is the error that the server sent
 * (a Skein server sends its code in the metadata), or
 *   ERR_UNAVAILABLE       no server was reached, or the connection was lost: then the call may have been executed
 *   ERR_TIMEOUT           no answer by the deadline: the call may have been executed
 *   ERR_TOO_LARGE         the request or the response is over the receiver's limit
 *   ERR_CLOSED            rpc_channel_close()
 * `detail` is a sentence of the server or of gRPC in printable ASCII, or "".
 */
typedef void (*rpc_done)(void *arg, err_t err, struct str response, const char *detail);

/*
 * `done` comes exactly once, on the worker's thread, never from inside this function. `request` is copied. Without a
 * connection the call waits for one until its deadline if `wait_for_ready`, else it fails at once. `traceparent` may be
 * empty; a malformed one is not sent. Thread: any.
 */
void rpc_call(struct rpc_channel *channel, struct worker *worker, const char *path, struct str request,
              uint64_t timeout_ms, bool wait_for_ready, struct str traceparent, rpc_done done, void *arg);

/*
 * A stream that is opened again whenever it closes, after 100-500 ms (jittered), until rpc_stream_close(). Handlers run on
 * the worker's thread. Never NULL. At most max_queued bytes wait unsent; they are dropped when the stream goes down. `path`
 * and `handlers` live as long as the stream. Thread: the worker's, or any before the worker runs.
 */
struct rpc_stream *rpc_stream_open(struct rpc_channel *channel, struct worker *worker, const char *path,
                                   const struct rpc_stream_handlers *handlers, size_t max_queued, void *arg);

/*
 * Ends the stream's call as if the connection were lost: `closed` follows, then `opened` at the next address that is up. For
 * a peer that answers keepalives but does not do its work. Thread: the worker's.
 */
void rpc_stream_reopen(struct rpc_stream *stream);

/* No handler is called afterwards. Threads with a reference get ERR_CLOSED when they send. Thread: the worker's. */
void rpc_stream_close(struct rpc_stream *stream);

#endif
