#ifndef SKEIN_RPC_RPC_STREAM_H
#define SKEIN_RPC_RPC_STREAM_H

#include <stddef.h>

#include "base/error.h"
#include "base/text/str.h"

/*
 * One bidirectional stream, as handlers see it at either end. A server's
 * streams are made by its clients (rpc/server/rpc_server.h), a client's by
 * rpc_stream_open() (rpc/client/rpc_client.h).
 *
 * Streams merge: a message is a batch (every field repeated), so several
 * messages, concatenated, are one bigger batch. Messages that are sent while a
 * write is under way are written together, as one message.
 *
 * Handlers run on one thread, in the order opened, messages, closed. `opened`
 * and `closed` alternate. A message that was queued or under way at `closed` may
 * be lost, and may have arrived.
 */

struct rpc_stream;

/* The largest message: of a stream that sends, and of a client that receives. */
#define RPC_MESSAGE_MAX (4u << 20)

/* Any of them may be NULL. */
struct rpc_stream_handlers {
	/*
	 * Server: a client opened the stream. Client: the stream is up. Only this handler can send until it returns, so its
	 * messages go first.
	 */
	void (*opened)(struct rpc_stream *stream, void *arg);
	/* One message, possibly several merged by the peer. It is valid during the call. */
	void (*message)(struct rpc_stream *stream, struct str message, void *arg);
	/*
	 * OK when the peer ended the stream in order. Server: the stream is freed after this returns, unless somebody holds a
	 * reference. Client: the stream is opened again after a pause.
	 */
	void (*closed)(struct rpc_stream *stream, err_t err, void *arg);
};

/*
 * Copies the message. ERR_FULL: more than the stream's limit (server: 8 MiB) would wait unsent, because the peer does not
 * read. ERR_CLOSED: the stream is down. ERR_TOO_LARGE: the message can never be sent. Thread: any.
 */
err_t rpc_stream_send(struct rpc_stream *stream, struct str message) MUST_CHECK;

/*
 * For a `message` handler that goes on with the message after it has returned: the bytes count as received and not handled
 * until they are given back, so a peer that sends faster has to wait. `message` handler's thread; giving back: any thread, and
 * the caller has a reference.
 */
void rpc_stream_keep_bytes(struct rpc_stream *stream, size_t bytes);
void rpc_stream_give_back_bytes(struct rpc_stream *stream, size_t bytes);

/* Bytes that were sent and not yet handed to the transport. Thread: any. */
size_t rpc_stream_queued(const struct rpc_stream *stream);

/* A pointer of the owner's; set it in `opened`. */
void rpc_stream_set_context(struct rpc_stream *stream, void *context);
void *rpc_stream_context(const struct rpc_stream *stream);

/* A reference keeps the stream's memory beyond `closed`, for a thread that may still send on it. Thread: any. */
struct rpc_stream *rpc_stream_ref(struct rpc_stream *stream);
void rpc_stream_unref(struct rpc_stream *stream);

#endif
