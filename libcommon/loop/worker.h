#ifndef SKEIN_LOOP_WORKER_H
#define SKEIN_LOOP_WORKER_H

#include <stdbool.h>
#include <uv.h>

#include "base/error.h"
#include "base/timer_wheel.h"
#include "loop/mailbox.h"

/*
 * A thread with a libuv loop of its own, a timer wheel that the loop drives,
 * and a mailbox that runs tasks. Nothing else is shared between workers.
 *
 * The main thread can be one too: worker_init() and worker_run() without
 * worker_start().
 *
 * A life: worker_init(); set up handles on the loop; worker_start() or
 * worker_run(); on the worker's thread close all of them, then worker_stop();
 * worker_join(). A worker that was never run ends with worker_stop() and
 * worker_join() too.
 *
 * The loop wakes every WORKER_TICK_MS only while a timer is armed: an idle
 * worker sleeps.
 */

/* Work for a worker: embed it in what you send. */
struct task {
	struct letter letter;
	void (*run)(struct task *task);
};

struct worker {
	uv_loop_t loop;
	struct timer_wheel wheel;
	uv_timer_t tick;
	struct mailbox box;
	uv_thread_t thread;
	char name[16];
	bool has_thread;
	bool is_ticking;
};

/* The wheel's tick. */
#define WORKER_TICK_MS 10

/* `name` is cut to 15 characters. From the first one on, the process ignores SIGPIPE. */
err_t worker_init(struct worker *worker, const char *name) MUST_CHECK;

/* Runs the loop on a thread of its own. What was set up on the loop before is the new thread's from here on. */
err_t worker_start(struct worker *worker) MUST_CHECK;

/* Runs the loop on this thread, until worker_stop(). */
void worker_run(struct worker *worker);

/*
 * Thread: any. The task belongs to the worker until its `run` is called, on the worker's thread; one posted before
 * the loop runs waits for it. Posting after worker_stop() is a bug.
 */
void worker_post(struct worker *worker, struct task *task);

/* Thread: the worker's. The loop ends once its own handles are closed; the caller closed all others before. */
void worker_stop(struct worker *worker);

/*
 * Waits for the thread (without one: for handles that are closing) and frees what init made. Tasks that were not run
 * are dropped.
 */
void worker_join(struct worker *worker);

/* Part of worker_arm(): lets the wheel turn. */
void worker_start_ticking(struct worker *worker);

/* Deadlines are of clock_mono_ms(). Thread: the worker's, or whoever sets it up before it runs. */
static inline void worker_arm(struct worker *worker, struct timer *timer, uint64_t deadline_ms)
{
	if (!worker->is_ticking)
		worker_start_ticking(worker);
	timer_arm(&worker->wheel, timer, deadline_ms);
}

static inline void worker_cancel(struct worker *worker, struct timer *timer)
{
	timer_cancel(&worker->wheel, timer);
}

#endif
