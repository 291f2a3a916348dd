#include "rpc/core/rpc_queue.h"

#include <grpc/support/log.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/telemetry/log.h"

/*
 * With gRPC's default, epoll1, all queues of the process share one epoll set, and the thread of one queue is woken for the
 * connections of another: a gateway then needs a fifth more CPU. `poll` waits for the queue's own connections, which are a few
 * dozen. It runs before main(), because setenv() is not safe beside other threads.
 */
__attribute__((constructor)) static void rpc_choose_poller(void)
{
	setenv("GRPC_POLL_STRATEGY", "poll", 0);
}

void *rpc_tag_arm(struct rpc_tag *tag, rpc_tag_fn complete)
{
	atomic_store_explicit(&tag->complete, complete, memory_order_release);
	return tag;
}

void rpc_start(grpc_call *call, const grpc_op *ops, size_t count, struct rpc_tag *tag, rpc_tag_fn complete)
{
	grpc_call_error refused = grpc_call_start_batch(call, ops, count, rpc_tag_arm(tag, complete), NULL);

	if (refused != GRPC_CALL_OK) {
		log_error("grpc refused a batch", LOG_TEXT("reason", grpc_call_error_to_string(refused)),
		          LOG_NUM("first_op", ops[0].op));
		abort();
	}
}

/* gRPC's log lines become lines of our log. */
static void rpc_queue_on_library_log(gpr_log_func_args *args)
{
	if (args->severity == GPR_LOG_SEVERITY_ERROR)
		log_error("grpc library", LOG_TEXT("text", args->message), LOG_TEXT("file", args->file),
		          LOG_NUM("line", args->line));
	else
		log_debug("grpc library", LOG_TEXT("text", args->message));
}

void rpc_queue_init(struct rpc_queue *queue, const char *name)
{
	*queue = (struct rpc_queue){ .name = name };
	gpr_set_log_function(rpc_queue_on_library_log);
	grpc_init();
	queue->cq = grpc_completion_queue_create_for_next(NULL);
}

static void rpc_queue_drain(struct rpc_queue *queue)
{
	for (;;) {
		grpc_event event = grpc_completion_queue_next(queue->cq, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);

		if (event.type == GRPC_QUEUE_SHUTDOWN)
			return;
		struct rpc_tag *tag = event.tag;
		rpc_tag_fn complete = atomic_load_explicit(&tag->complete, memory_order_acquire);
		complete(tag, event.success);
	}
}

void rpc_queue_release(struct rpc_queue *queue)
{
	grpc_completion_queue_shutdown(queue->cq);
	rpc_queue_drain(queue);
	grpc_completion_queue_destroy(queue->cq);
	grpc_shutdown();
}

static void rpc_queue_run_thread(void *arg)
{
	struct rpc_queue *queue = arg;

	pthread_setname_np(pthread_self(), queue->name);
	rpc_queue_drain(queue);
	worker_post(atomic_load_explicit(&queue->worker, memory_order_acquire), &queue->end);
}

void rpc_queue_start(struct rpc_queue *queue)
{
	int failed = uv_thread_create(&queue->thread, rpc_queue_run_thread, queue);

	if (failed) {
		log_error("cannot start a thread", LOG_TEXT("name", queue->name), LOG_TEXT("reason", uv_strerror(failed)));
		abort();
	}
}

static void rpc_queue_on_end(struct task *task)
{
	struct rpc_queue *queue = container_of(task, struct rpc_queue, end);

	uv_thread_join(&queue->thread); /* its last act was to post this task */
	grpc_completion_queue_destroy(queue->cq);
	grpc_shutdown();
	queue->ended(queue);
}

void rpc_queue_close(struct rpc_queue *queue, struct worker *worker, void (*ended)(struct rpc_queue *queue))
{
	grpc_completion_queue *cq = queue->cq; /* `queue` may be freed before shutdown() returns */

	queue->ended = ended;
	queue->end.run = rpc_queue_on_end;
	atomic_store_explicit(&queue->worker, worker, memory_order_release);
	grpc_completion_queue_shutdown(cq);
}
