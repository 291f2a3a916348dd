#ifndef SKEIN_LOOP_WORKER_H
#define SKEIN_LOOP_WORKER_H

#include <stdbool.h>
#include <uv.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/timer_wheel.h"
#include "loop/mailbox.h"

/*
 * A thread with a libuv loop, a timer wheel that the loop advances, and a mailbox
 * that runs tasks. Workers share nothing else.
 *
 * The main thread can be one too: worker_init() and worker_run() without
 * worker_start().
 *
 * Order of use: worker_init(); make handles on the loop; worker_start() or
 * worker_run(); on the worker's thread close all handles, then worker_stop();
 * worker_join(). A worker that never ran also ends with worker_stop() and
 * worker_join().
 *
 * The loop wakes for the next deadline, at a multiple of WORKER_TICK_MS, so that
 * timers that are due together wake it once. Without an armed timer it sleeps.
 *
 * Deadlines are times of worker_now_ms(). That is clock_mono_ms(), unless the
 * worker forgives stalls: then its clock stands still while its loop does (a
 * process that was stopped, a handler that ran for more than
 * WORKER_STALL_MS). Peers have as much time after a stall as they had before
 * it, and what they sent meanwhile is read first. Not for leases: others go by
 * the true time.
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
	uint64_t covered_ms; /* the loop wakes in time for deadlines from here on; UINT64_MAX: it does not wake */
	bool forgives_stalls; /* set it before the first timer is armed */
	uint64_t seen_ms; /* when its clock was read last */
	uint64_t stood_ms; /* how long it stood still, in all */
};

/* The wheel's tick. */
#define WORKER_TICK_MS 10

/* A worker that forgives stalls wakes at least so often while a timer is armed; if it was not seen for longer, it stood still. */
#define WORKER_LOOK_MS 500
#define WORKER_STALL_MS 1000

/* `name` is cut to 15 characters. The first worker makes the process ignore SIGPIPE. */
err_t worker_init(struct worker *worker, const char *name) MUST_CHECK;

/* Runs the loop on a new thread, which owns the handles on the loop from here on. */
err_t worker_start(struct worker *worker) MUST_CHECK;

/* Runs the loop on this thread, until worker_stop(). */
void worker_run(struct worker *worker);

/*
 * The task belongs to the worker until its `run` is called, on the worker's thread. A task that is posted before the loop
 * runs waits. Posting after worker_stop() is a bug. Thread: any.
 */
void worker_post(struct worker *worker, struct task *task);

/* Closes the worker's own handles, then the loop ends. The caller has closed all others. Thread: the worker's. */
void worker_stop(struct worker *worker);

/*
 * Waits for the thread (without a thread: for handles that are closing) and closes the loop. Tasks that were not run
 * are dropped.
 */
void worker_join(struct worker *worker);

/* Part of worker_arm(): makes the loop wake earlier than it would. */
void worker_wake_for(struct worker *worker, uint64_t deadline_ms);

/* The worker's clock, for deadlines of its timers. Thread: the worker's, or any before the worker runs. */
static inline uint64_t worker_now_ms(struct worker *worker)
{
	uint64_t now_ms = clock_mono_ms();

	if (!worker->forgives_stalls)
		return now_ms;
	if (worker->covered_ms != UINT64_MAX && now_ms - worker->seen_ms > WORKER_STALL_MS)
		worker->stood_ms += now_ms - worker->seen_ms;
	worker->seen_ms = now_ms;
	return now_ms - worker->stood_ms;
}

/* The deadline is one of worker_now_ms(). Thread: the worker's, or any before the worker runs. */
static inline void worker_arm(struct worker *worker, struct timer *timer, uint64_t deadline_ms)
{
	if (deadline_ms < worker->covered_ms)
		worker_wake_for(worker, deadline_ms);
	timer_arm(&worker->wheel, timer, deadline_ms);
}

/* The same, `ms` from now. */
static inline void worker_arm_in(struct worker *worker, struct timer *timer, uint64_t ms)
{
	worker_arm(worker, timer, worker_now_ms(worker) + ms);
}

static inline void worker_cancel(struct worker *worker, struct timer *timer)
{
	timer_cancel(&worker->wheel, timer);
}

#endif
