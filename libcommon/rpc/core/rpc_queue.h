#ifndef SKEIN_RPC_CORE_RPC_QUEUE_H
#define SKEIN_RPC_CORE_RPC_QUEUE_H

#include <grpc/grpc.h>
#include <stdbool.h>
#include <uv.h>

#include "loop/worker.h"

/*
 * Inside rpc/ only: a completion queue of gRPC and the thread that is always in
 * it. gRPC makes progress (reads, pings, reconnects) only while a thread waits
 * in the queue, so nothing that a tag does there may block.
 *
 * Each operation that is started carries a tag; the queue's thread calls the
 * tag's function once when the operation is over. `ok` is false when it failed.
 */

struct rpc_tag;
typedef void (*rpc_tag_fn)(struct rpc_tag *tag, bool ok);

/* Embed it in what the operation belongs to. */
struct rpc_tag {
	/*
	 * Atomic because gRPC's own synchronisation between the thread that starts
	 * an operation and the one that gets its completion is invisible to the
	 * thread sanitizer: the store and the load of it show the hand-over.
	 */
	_Atomic(rpc_tag_fn) complete;
};

/* What gRPC gets as the tag of an operation. The last thing to do before it is started. */
void *rpc_tag_arm(struct rpc_tag *tag, rpc_tag_fn complete);

/* grpc_call_start_batch(). Refusing a batch is a bug of this folder: it is logged and the process ends. */
void rpc_start(grpc_call *call, const grpc_op *ops, size_t count, struct rpc_tag *tag, rpc_tag_fn complete);

struct rpc_queue {
	grpc_completion_queue *cq;
	uv_thread_t thread;
	const char *name;
	_Atomic(struct worker *) worker; /* atomic for the same reason as a tag's function */
	struct task end;
	void (*ended)(struct rpc_queue *queue);
};

/* Takes a reference on the library. `name` is the thread's: a literal of at most 15 characters. */
void rpc_queue_init(struct rpc_queue *queue, const char *name);

/* Gives back what init took, for a queue whose thread was never started and on which nothing is under way. */
void rpc_queue_release(struct rpc_queue *queue);

/* Without a thread there is no service: failing ends the process. */
void rpc_queue_start(struct rpc_queue *queue);

/*
 * Nothing new may be started from here on; what is under way completes first.
 * Then the thread ends, the queue is gone, and `ended` is called on the worker's
 * thread. Thread: any.
 */
void rpc_queue_close(struct rpc_queue *queue, struct worker *worker, void (*ended)(struct rpc_queue *queue));

#endif
