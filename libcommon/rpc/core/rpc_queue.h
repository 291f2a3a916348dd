#ifndef SKEIN_RPC_CORE_RPC_QUEUE_H
#define SKEIN_RPC_CORE_RPC_QUEUE_H

#include <grpc/grpc.h>
#include <stdbool.h>
#include <uv.h>

#include "loop/worker.h"

/*
 * A completion queue of gRPC and the thread that always waits in it. gRPC makes
 * progress (reads, pings, reconnects) only while a thread waits in the queue, so
 * a tag's function must not block.
 *
 * Each operation carries a tag. The queue's thread calls the tag's function once,
 * when the operation is over. `ok` is false if the operation failed.
 */

struct rpc_tag;
typedef void (*rpc_tag_fn)(struct rpc_tag *tag, bool ok);

/* Embed it in the operation's own struct. */
struct rpc_tag {
	/*
	 * Atomic for the thread sanitizer: it does not see gRPC's own synchronisation between the thread that starts an
	 * operation and the queue's thread, but it sees this store and load.
	 */
	_Atomic(rpc_tag_fn) complete;
};

/* Returns the tag for gRPC. Call it last, right before the operation is started. */
void *rpc_tag_arm(struct rpc_tag *tag, rpc_tag_fn complete);

/* grpc_call_start_batch(). gRPC refuses a batch only for a bug of ours: that is logged and the process aborts. */
void rpc_start(grpc_call *call, const grpc_op *ops, size_t count, struct rpc_tag *tag, rpc_tag_fn complete);

struct rpc_queue {
	grpc_completion_queue *cq;
	uv_thread_t thread;
	const char *name;
	_Atomic(struct worker *) worker; /* atomic for the same reason as a tag's function */
	struct task end;
	void (*ended)(struct rpc_queue *queue);
};

/* Initialises gRPC (counted). `name` is the thread's name: a literal of at most 15 characters. */
void rpc_queue_init(struct rpc_queue *queue, const char *name);

/* Reverses init; for a queue whose thread was never started and that has no operation under way. */
void rpc_queue_release(struct rpc_queue *queue);

/* Starts the thread. The process aborts if that fails. */
void rpc_queue_start(struct rpc_queue *queue);

/*
 * No operation may be started afterwards. Operations under way complete; then the thread ends, the queue is destroyed, and
 * `ended` is called on the worker's thread. Thread: any.
 */
void rpc_queue_close(struct rpc_queue *queue, struct worker *worker, void (*ended)(struct rpc_queue *queue));

#endif
