#ifndef SKEIN_RPC_CORE_STREAM_CORE_H
#define SKEIN_RPC_CORE_STREAM_CORE_H

#include <grpc/grpc.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <uv.h>

#include "loop/worker.h"
#include "rpc/core/merge_queue.h"
#include "rpc/core/rpc_queue.h"
#include "rpc/rpc_stream.h"

/*
 * The part of a stream that server and client share: sending, merging, receiving,
 * flow control, and the order of the handlers' calls. A side (server or client)
 * embeds `struct rpc_stream`, starts its own operations (accepting, status) and
 * reports their completion.
 *
 * One gRPC call at a time carries the stream. The call is given back only when
 * every operation on it has completed (`pending` is 0), so a completion never
 * meets a stream that already has its next call.
 */

/* Received bytes that may wait for the loop. Above it the stream stops reading, so the peer's sends fill up in turn. */
#define RPC_STREAM_BACKLOG_MAX (4u << 20)

struct rpc_stream_side {
	/* The peer will send no more. May be NULL. Thread: the handlers'. */
	void (*peer_is_done)(struct rpc_stream *stream);
	/* The call is over; `closed` was called. Thread: the handlers'. */
	void (*down)(struct rpc_stream *stream);
	/* The last reference was released: frees the struct that embeds the stream. Thread: any. */
	void (*release)(struct rpc_stream *stream);
};

struct rpc_backlog {
	grpc_byte_buffer **messages;
	size_t count, cap;
};

enum rpc_stream_state {
	RPC_STREAM_DOWN, /* sends are refused */
	RPC_STREAM_OPENING, /* `opened` runs: only its thread may send */
	RPC_STREAM_UP,
};

struct rpc_stream {
	atomic_uint refs;
	const struct rpc_stream_side *side;
	const struct rpc_stream_handlers *handlers;
	void *arg;
	void *context;
	struct worker *worker; /* NULL: the handlers run on the queue's thread */
	size_t max_queued;
	bool is_lockstep; /* the next message is read only after the answer to the last one has left; set before attaching */
	bool is_silenced; /* the owner has closed the stream: no handler is called. Thread: the handlers' */
	bool was_opened; /* `opened` was called and `closed` was not. Thread: the handlers' */

	uv_mutex_t lock; /* guards the members below, except those of an operation under way (`outgoing`, `incoming`) */
	grpc_call *call;
	unsigned pending;
	enum rpc_stream_state state;
	uv_thread_t opener;
	bool is_over; /* the call's last operation has completed: no new one is started */

	struct merge_queue queue;
	bool is_writing;
	bool is_ending; /* server: the status follows the queued messages */
	bool has_sent_end;
	err_t end_err;

	struct rpc_backlog backlog;
	size_t unhandled; /* received messages that the handler has not seen */
	size_t unhandled_bytes;
	bool may_read;
	bool is_reading;

	/* Calls that the handlers have not got yet: `opened`, the backlog, the end of reading, `closed`. */
	bool owes_opened, owes_done, owes_closed;
	err_t closed_err;
	bool is_posted;
	struct task deliver;

	atomic_size_t queued; /* in `queue` and in `outgoing` */
	grpc_byte_buffer *outgoing; /* of the write under way */
	size_t outgoing_bytes;
	grpc_byte_buffer *incoming; /* of the read under way */
	struct rpc_tag written, read;
};

void rpc_stream_init(struct rpc_stream *stream, const struct rpc_stream_side *side,
                     const struct rpc_stream_handlers *handlers, void *arg, struct worker *worker, size_t max_queued);

/* Releases what init made; after the last reference was released. */
void rpc_stream_release(struct rpc_stream *stream);

/*
 * A new call, on which the side is about to start `pending` operations. When the last of them (the status, or the close) has
 * completed, the side calls rpc_stream_set_over().
 */
void rpc_stream_attach(struct rpc_stream *stream, grpc_call *call, unsigned pending);

/* The peer has accepted the call: `opened` is called, reading and writing begin. Thread: the queue's. */
void rpc_stream_accepted(struct rpc_stream *stream);

/* One of the side's operations has completed. Thread: the queue's. */
void rpc_stream_completed(struct rpc_stream *stream);

/* The call's last operation has completed; `err` is for `closed`. OK: that of rpc_stream_finish(), if any. Thread: the queue's. */
void rpc_stream_set_over(struct rpc_stream *stream, err_t err);

/* Server: refuses further sends; the queued messages leave, then the status. Thread: any. */
void rpc_stream_finish(struct rpc_stream *stream, err_t err);

/* Drops the queued messages and ends the call now. Thread: any. */
void rpc_stream_cancel(struct rpc_stream *stream, grpc_status_code status, const char *detail);

#endif
