#include "rpc/core/stream_core.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "rpc/core/rpc_message.h"
#include "rpc/core/rpc_status.h"

/*
 * Every change of a stream is made in the same way. Under the lock the change is
 * noted, and stream_what_next() decides which operations can start now. After the
 * lock stream_start() starts them: that may be a system call, and other threads
 * must be able to append messages meanwhile. An operation counts in `pending` from
 * the decision on, which keeps the call alive.
 *
 * Handlers are called by stream_deliver() only, on one thread, in the order opened,
 * messages, closed. It takes all due calls under the lock and makes them without
 * it.
 */

/* Counted for each received message besides its bytes, so that the backlog's limit also bounds small messages. */
#define MESSAGE_OVERHEAD 256

struct next {
	grpc_call *call;
	grpc_byte_buffer *message;
	bool reads, ends;
};

void rpc_stream_init(struct rpc_stream *stream, const struct rpc_stream_side *side,
                     const struct rpc_stream_handlers *handlers, void *arg, struct worker *worker, size_t max_queued)
{
	stream->refs = 1;
	stream->side = side;
	stream->handlers = handlers;
	stream->arg = arg;
	stream->worker = worker;
	stream->max_queued = max_queued;
	merge_queue_init(&stream->queue);
	if (uv_mutex_init(&stream->lock))
		abort();
}

void rpc_stream_release(struct rpc_stream *stream)
{
	assert(!stream->call && stream->backlog.count == 0);
	mem_free(stream->backlog.messages);
	uv_mutex_destroy(&stream->lock);
}

struct rpc_stream *rpc_stream_ref(struct rpc_stream *stream)
{
	atomic_fetch_add_explicit(&stream->refs, 1, memory_order_relaxed);
	return stream;
}

void rpc_stream_unref(struct rpc_stream *stream)
{
	if (atomic_fetch_sub_explicit(&stream->refs, 1, memory_order_acq_rel) == 1)
		stream->side->release(stream);
}

void rpc_stream_set_context(struct rpc_stream *stream, void *context)
{
	stream->context = context;
}

void *rpc_stream_context(const struct rpc_stream *stream)
{
	return stream->context;
}

size_t rpc_stream_queued(const struct rpc_stream *stream)
{
	return atomic_load_explicit(&stream->queued, memory_order_relaxed);
}

/* Under the lock. A lockstep stream handles one message, and sends its answer, before it reads the next. */
static bool stream_has_room_to_read(const struct rpc_stream *stream)
{
	if (stream->is_lockstep)
		return stream->unhandled == 0 && !stream->is_writing;
	return stream->unhandled_bytes <= RPC_STREAM_BACKLOG_MAX;
}

/* Under the lock. */
static struct next stream_what_next(struct rpc_stream *stream)
{
	struct next next = { .call = stream->call };

	if (stream->is_over || !stream->call)
		return next;
	if (!stream->is_writing && !merge_queue_is_empty(&stream->queue)) {
		next.message = stream->outgoing = merge_queue_take(&stream->queue);
		stream->outgoing_bytes = grpc_byte_buffer_length(stream->outgoing);
		stream->is_writing = true;
		stream->pending++;
	} else if (!stream->is_writing && stream->is_ending && !stream->has_sent_end) {
		next.ends = stream->has_sent_end = stream->is_writing = true;
		stream->pending++;
	}
	if (stream->may_read && !stream->is_reading && stream_has_room_to_read(stream)) {
		next.reads = stream->is_reading = true;
		stream->pending++;
	}
	return next;
}

static void stream_on_written(struct rpc_tag *tag, bool ok);
static void stream_on_read(struct rpc_tag *tag, bool ok);

/* Without the lock: each of these may write to a socket. */
static void stream_start(struct rpc_stream *stream, const struct next *next)
{
	if (next->message) {
		grpc_op op = { .op = GRPC_OP_SEND_MESSAGE };

		op.data.send_message.send_message = next->message;
		rpc_start(next->call, &op, 1, &stream->written, stream_on_written);
	}
	if (next->ends) {
		grpc_op op = { .op = GRPC_OP_SEND_STATUS_FROM_SERVER };
		grpc_metadata code = {
			.key = grpc_slice_from_static_string(RPC_ERROR_KEY),
			.value = grpc_slice_from_static_string(err_code(stream->end_err)),
		};

		op.data.send_status_from_server.status = (grpc_status_code)err_grpc_status(stream->end_err);
		op.data.send_status_from_server.trailing_metadata = &code;
		op.data.send_status_from_server.trailing_metadata_count = stream->end_err == OK ? 0 : 1;
		rpc_start(next->call, &op, 1, &stream->written, stream_on_written);
	}
	if (next->reads) {
		grpc_op op = { .op = GRPC_OP_RECV_MESSAGE };

		op.data.recv_message.recv_message = &stream->incoming;
		rpc_start(next->call, &op, 1, &stream->read, stream_on_read);
	}
}

/* Under the lock. True if the caller must call stream_wake() after it. */
static bool stream_must_wake(struct rpc_stream *stream)
{
	bool was_posted = stream->is_posted;

	stream->is_posted = true;
	return !was_posted;
}

static void stream_deliver(struct rpc_stream *stream);

static void stream_run_deliver(struct task *task)
{
	struct rpc_stream *stream = container_of(task, struct rpc_stream, deliver);

	stream_deliver(stream);
	rpc_stream_unref(stream);
}

/* Thread: the queue's, on which the handlers of a stream without a worker run. */
static void stream_wake(struct rpc_stream *stream)
{
	if (!stream->worker) {
		stream_deliver(stream);
		return;
	}
	rpc_stream_ref(stream);
	stream->deliver.run = stream_run_deliver;
	worker_post(stream->worker, &stream->deliver);
}

/* Under the lock. Further sends are refused. */
static void stream_drop_queue(struct rpc_stream *stream)
{
	stream->state = RPC_STREAM_DOWN;
	atomic_fetch_sub_explicit(&stream->queued, stream->queue.bytes, memory_order_relaxed);
	merge_queue_clear(&stream->queue);
}

/* The call's operations have all completed. Thread: the queue's. */
static void stream_give_back_call(struct rpc_stream *stream)
{
	uv_mutex_lock(&stream->lock);
	grpc_call *call = stream->call;
	stream->call = NULL;
	stream->owes_closed = true;
	bool wakes = stream_must_wake(stream);
	uv_mutex_unlock(&stream->lock);

	/* In this order: releasing the last call ends a closing server, and by then `closed` must be on its way. */
	if (wakes)
		stream_wake(stream);
	grpc_call_unref(call);
}

/* Ends a change that the completion of one operation made. The caller holds the lock. */
static void stream_complete_and_unlock(struct rpc_stream *stream, bool wakes)
{
	struct next next = stream_what_next(stream);
	bool is_last = --stream->pending == 0;

	uv_mutex_unlock(&stream->lock);
	stream_start(stream, &next);
	if (wakes)
		stream_wake(stream);
	if (is_last)
		stream_give_back_call(stream);
}

static void stream_on_written(struct rpc_tag *tag, bool ok)
{
	struct rpc_stream *stream = container_of(tag, struct rpc_stream, written);

	uv_mutex_lock(&stream->lock);
	grpc_byte_buffer *sent = stream->outgoing;
	stream->outgoing = NULL;
	stream->is_writing = false;
	atomic_fetch_sub_explicit(&stream->queued, stream->outgoing_bytes, memory_order_relaxed);
	stream->outgoing_bytes = 0;
	if (!ok)
		stream_drop_queue(stream); /* the call is broken; its end follows */
	stream_complete_and_unlock(stream, false);
	if (sent)
		grpc_byte_buffer_destroy(sent);
}

static void stream_on_read(struct rpc_tag *tag, bool ok)
{
	struct rpc_stream *stream = container_of(tag, struct rpc_stream, read);
	struct rpc_backlog *backlog = &stream->backlog;
	grpc_byte_buffer *message = stream->incoming;

	(void)ok; /* a failed read has no message, like the last one */
	stream->incoming = NULL;
	uv_mutex_lock(&stream->lock);
	stream->is_reading = false;
	if (message) {
		MEM_RESERVE_ONE(backlog->messages, backlog->count, backlog->cap, 8);
		backlog->messages[backlog->count++] = message;
		stream->unhandled++;
		stream->unhandled_bytes += grpc_byte_buffer_length(message) + MESSAGE_OVERHEAD;
	} else {
		stream->may_read = false;
		stream->owes_done = true;
	}
	stream_complete_and_unlock(stream, stream_must_wake(stream));
}

void rpc_stream_attach(struct rpc_stream *stream, grpc_call *call, unsigned pending)
{
	uv_mutex_lock(&stream->lock);
	stream->call = call;
	stream->pending = pending;
	stream->is_over = stream->may_read = false;
	uv_mutex_unlock(&stream->lock);
}

void rpc_stream_accepted(struct rpc_stream *stream)
{
	uv_mutex_lock(&stream->lock);
	stream->owes_opened = stream->may_read = true;
	bool wakes = stream_must_wake(stream);
	struct next next = stream_what_next(stream);
	uv_mutex_unlock(&stream->lock);

	stream_start(stream, &next);
	if (wakes)
		stream_wake(stream);
}

void rpc_stream_completed(struct rpc_stream *stream)
{
	uv_mutex_lock(&stream->lock);
	stream_complete_and_unlock(stream, false);
}

void rpc_stream_set_over(struct rpc_stream *stream, err_t err)
{
	uv_mutex_lock(&stream->lock);
	stream->is_over = true;
	stream->closed_err = err != OK ? err : stream->end_err;
	stream_drop_queue(stream);
	stream_complete_and_unlock(stream, false);
}

void rpc_stream_finish(struct rpc_stream *stream, err_t err)
{
	uv_mutex_lock(&stream->lock);
	if (!stream->is_ending) {
		stream->is_ending = true;
		stream->end_err = err;
	}
	stream->state = RPC_STREAM_DOWN;
	struct next next = stream_what_next(stream);
	uv_mutex_unlock(&stream->lock);
	stream_start(stream, &next);
}

void rpc_stream_cancel(struct rpc_stream *stream, grpc_status_code status, const char *detail)
{
	uv_mutex_lock(&stream->lock);
	stream_drop_queue(stream);
	grpc_call *call = stream->call;
	if (call)
		grpc_call_ref(call);
	uv_mutex_unlock(&stream->lock);

	if (call) {
		grpc_call_cancel_with_status(call, status, detail, NULL);
		grpc_call_unref(call);
	}
}

/* Under the lock. */
static bool stream_may_send(struct rpc_stream *stream)
{
	if (stream->state == RPC_STREAM_OPENING) {
		uv_thread_t self = uv_thread_self();

		return uv_thread_equal(&self, &stream->opener);
	}
	return stream->state == RPC_STREAM_UP;
}

err_t rpc_stream_send(struct rpc_stream *stream, struct str message)
{
	struct next next = { 0 };
	err_t err = OK;

	if (message.len > MIN(stream->max_queued, RPC_MESSAGE_MAX))
		return ERR_TOO_LARGE;
	uv_mutex_lock(&stream->lock);
	if (!stream_may_send(stream)) {
		err = ERR_CLOSED;
	} else if (rpc_stream_queued(stream) + message.len > stream->max_queued) {
		err = ERR_FULL;
	} else {
		merge_queue_append(&stream->queue, message, stream->is_writing);
		atomic_fetch_add_explicit(&stream->queued, message.len, memory_order_relaxed);
		next = stream_what_next(stream);
	}
	uv_mutex_unlock(&stream->lock);
	stream_start(stream, &next);
	return err;
}

void rpc_stream_keep_bytes(struct rpc_stream *stream, size_t bytes)
{
	uv_mutex_lock(&stream->lock);
	stream->unhandled_bytes += bytes;
	uv_mutex_unlock(&stream->lock);
}

void rpc_stream_give_back_bytes(struct rpc_stream *stream, size_t bytes)
{
	uv_mutex_lock(&stream->lock);
	stream->unhandled_bytes -= bytes;
	struct next next = stream_what_next(stream);
	uv_mutex_unlock(&stream->lock);
	stream_start(stream, &next);
}

static void stream_tell_opened(struct rpc_stream *stream)
{
	uv_mutex_lock(&stream->lock);
	if (stream->call && !stream->is_over && !stream->is_ending) {
		stream->opener = uv_thread_self();
		stream->state = RPC_STREAM_OPENING;
	}
	uv_mutex_unlock(&stream->lock);

	if (!stream->is_silenced) {
		stream->was_opened = true;
		if (stream->handlers->opened)
			stream->handlers->opened(stream, stream->arg);
	}
	uv_mutex_lock(&stream->lock);
	if (stream->state == RPC_STREAM_OPENING)
		stream->state = RPC_STREAM_UP;
	uv_mutex_unlock(&stream->lock);
}

static void stream_tell_messages(struct rpc_stream *stream, struct rpc_backlog due)
{
	size_t bytes = 0, count = due.count;

	for (size_t i = 0; i < count; i++) {
		struct rpc_message message;

		bytes += grpc_byte_buffer_length(due.messages[i]) + MESSAGE_OVERHEAD;
		if (!stream->is_silenced && stream->handlers->message) {
			rpc_message_open(&message, due.messages[i]);
			stream->handlers->message(stream, message.bytes, stream->arg);
			rpc_message_close(&message);
		}
		grpc_byte_buffer_destroy(due.messages[i]);
	}
	/* The messages were handled: there may be room to read on. */
	uv_mutex_lock(&stream->lock);
	stream->unhandled -= count;
	stream->unhandled_bytes -= bytes;
	due.count = 0;
	if (!stream->backlog.messages) {
		stream->backlog = due; /* reuses its memory */
		due.messages = NULL;
	}
	struct next next = stream_what_next(stream);
	uv_mutex_unlock(&stream->lock);
	mem_free(due.messages);
	stream_start(stream, &next);
}

static void stream_deliver(struct rpc_stream *stream)
{
	uv_mutex_lock(&stream->lock);
	struct rpc_backlog due = stream->backlog;
	bool opened = stream->owes_opened, done = stream->owes_done, closed = stream->owes_closed;
	err_t err = stream->closed_err;
	stream->backlog = (struct rpc_backlog){ 0 };
	stream->owes_opened = stream->owes_done = stream->owes_closed = false;
	stream->is_posted = false;
	uv_mutex_unlock(&stream->lock);

	if (opened)
		stream_tell_opened(stream);
	stream_tell_messages(stream, due);
	if (done && stream->side->peer_is_done)
		stream->side->peer_is_done(stream);
	if (!closed)
		return;
	bool is_owed = stream->was_opened && !stream->is_silenced;
	stream->was_opened = false;
	if (is_owed && stream->handlers->closed)
		stream->handlers->closed(stream, err, stream->arg);
	stream->side->down(stream);
}
