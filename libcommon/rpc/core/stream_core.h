#ifndef SKEIN_RPC_CORE_STREAM_CORE_H
#define SKEIN_RPC_CORE_STREAM_CORE_H

#include <grpc/grpc.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <uv.h>

#include "loop/worker.h"
#include "rpc/core/merge_queue.h"
#include "rpc/core/rpc_queue.h"
#include "rpc/server/rpc_server.h"

/*
 * Inside rpc/ only: the half of a stream that server and client share. A side
 * embeds `struct rpc_stream`, starts the operations of its own (accepting,
 * status) and tells when they are over; sending, merging, receiving, flow
 * control and the order of the handlers' calls are here.
 *
 * One call of gRPC carries the stream at a time. It is over when every
 * operation started on it has completed (`pending` is 0), and only then it is
 * given back, so a completion never meets a stream that has moved on.
 */

/* Received bytes that may wait for a busy loop before the stream stops reading, and the peer, in time, writing. */
#define RPC_STREAM_BACKLOG_MAX (4u << 20)

struct rpc_stream_side {
	/* The peer will send no more. Thread: the handlers'. May be NULL. */
	void (*peer_is_done)(struct rpc_stream *stream);
	/* After `closed`: the call is gone. Thread: the handlers'. */
	void (*down)(struct rpc_stream *stream);
	/* The last reference is gone: frees what embeds the stream. Thread: any. */
	void (*release)(struct rpc_stream *stream);
};

struct rpc_backlog {
	grpc_byte_buffer **messages;
	size_t count, cap;
};

enum rpc_stream_state {
	RPC_STREAM_DOWN, /* sends are refused */
	RPC_STREAM_OPENING, /* `opened` runs: what it sends comes first, so others are still refused */
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
	bool is_lockstep; /* reads the next message only after the answer to the last one has left; set before attaching */
	bool is_silenced; /* no handler is called any more. Thread: the handlers' */
	bool was_opened; /* `closed` is owed for it. Thread: the handlers' */

	uv_mutex_t lock; /* for all below, but what belongs to an operation under way */
	grpc_call *call;
	unsigned pending;
	enum rpc_stream_state state;
	uv_thread_t opener;
	bool is_over; /* the call's last operation has completed: nothing new is started */

	struct merge_queue queue;
	bool is_writing;
	bool is_ending; /* server: the status follows what is queued */
	bool has_sent_end;
	err_t end_err;

	struct rpc_backlog backlog;
	size_t unhandled; /* messages received and not yet through the handler */
	size_t unhandled_bytes;
	bool may_read;
	bool is_reading;

	/* What the handlers are still to be told, in this order around the backlog. */
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

/* After the last reference is gone: frees what init made. */
void rpc_stream_release(struct rpc_stream *stream);

/*
 * A new call, with `pending` operations that the side is about to start. One of
 * them is its last (the status, or the close): rpc_stream_set_over() follows it.
 */
void rpc_stream_attach(struct rpc_stream *stream, grpc_call *call, unsigned pending);

/* The peer has taken the call: `opened` is due, reading and writing begin. Thread: the queue's. */
void rpc_stream_accepted(struct rpc_stream *stream);

/* One of the side's operations has completed. Thread: the queue's. */
void rpc_stream_completed(struct rpc_stream *stream);

/* The call's last operation has completed; `err` is for `closed`. Thread: the queue's. */
void rpc_stream_set_over(struct rpc_stream *stream, err_t err);

/* Server: no more sends; what is queued leaves, then the status. Thread: any. */
void rpc_stream_finish(struct rpc_stream *stream, err_t err);

/* Drops what is queued and ends the call at once. Thread: any. */
void rpc_stream_cancel(struct rpc_stream *stream, grpc_status_code status, const char *detail);

#endif
