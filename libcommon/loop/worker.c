#include "loop/worker.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/macros.h"

static void worker_run_task(struct letter *letter, void *arg)
{
	struct task *task = container_of(letter, struct task, letter);
	(void)arg;

	task->run(task);
}

static void worker_on_tick(uv_timer_t *tick);

/* `wake_ms` is a multiple of the tick, so it is in time for every deadline after the multiple before it. */
static void worker_wake_at(struct worker *worker, uint64_t wake_ms)
{
	uint64_t now_ms = worker_now_ms(worker);

	if (worker->forgives_stalls)
		wake_ms = MIN(wake_ms, (now_ms + WORKER_LOOK_MS) / WORKER_TICK_MS * WORKER_TICK_MS);
	uv_timer_start(&worker->tick, worker_on_tick, wake_ms > now_ms ? wake_ms - now_ms : 0, 0);
	worker->covered_ms = wake_ms - WORKER_TICK_MS + 1;
}

static void worker_on_tick(uv_timer_t *tick)
{
	struct worker *worker = tick->data;

	worker->covered_ms = 0; /* what is armed from inside the wheel is seen below */
	timer_wheel_advance(&worker->wheel, worker_now_ms(worker));
	worker->covered_ms = UINT64_MAX;
	uint64_t next_ms = timer_wheel_next_ms(&worker->wheel);
	if (next_ms != UINT64_MAX && !uv_is_closing((uv_handle_t *)tick))
		worker_wake_at(worker, next_ms);
}

void worker_wake_for(struct worker *worker, uint64_t deadline_ms)
{
	if (uv_is_closing((uv_handle_t *)&worker->tick))
		return;
	/* Without an armed timer the wheel was not advanced. */
	if (worker->wheel.armed == 0)
		timer_wheel_advance(&worker->wheel, worker_now_ms(worker));
	uint64_t tick = (deadline_ms + WORKER_TICK_MS - 1) / WORKER_TICK_MS;
	worker_wake_at(worker, MAX(tick, worker->wheel.now + 1) * WORKER_TICK_MS);
}

err_t worker_init(struct worker *worker, const char *name)
{
	*worker = (struct worker){ .covered_ms = UINT64_MAX };
	snprintf(worker->name, sizeof(worker->name), "%s", name);
	/* Writing to a closed connection must return EPIPE, not kill the process. */
	signal(SIGPIPE, SIG_IGN);
	if (uv_loop_init(&worker->loop))
		return ERR_NO_MEMORY;
	if (mailbox_init(&worker->box, &worker->loop, worker_run_task, worker)) {
		uv_loop_close(&worker->loop);
		return ERR_NO_MEMORY;
	}
	uv_timer_init(&worker->loop, &worker->tick); /* never fails */
	worker->tick.data = worker;
	timer_wheel_init(&worker->wheel, WORKER_TICK_MS, clock_mono_ms());
	return OK;
}

static void worker_run_thread(void *arg)
{
	struct worker *worker = arg;

	pthread_setname_np(pthread_self(), worker->name);
	worker_run(worker);
}

err_t worker_start(struct worker *worker)
{
	assert(!worker->has_thread);
	if (uv_thread_create(&worker->thread, worker_run_thread, worker))
		return ERR_NO_MEMORY;
	worker->has_thread = true;
	return OK;
}

void worker_run(struct worker *worker)
{
	uv_run(&worker->loop, UV_RUN_DEFAULT);
}

void worker_post(struct worker *worker, struct task *task)
{
	mailbox_post(&worker->box, &task->letter);
}

void worker_stop(struct worker *worker)
{
	mailbox_close(&worker->box, NULL, NULL);
	uv_close((uv_handle_t *)&worker->tick, NULL);
}

void worker_join(struct worker *worker)
{
	if (worker->has_thread)
		uv_thread_join(&worker->thread);
	else
		uv_run(&worker->loop, UV_RUN_DEFAULT);
	worker->has_thread = false;

	int busy = uv_loop_close(&worker->loop);
	assert(busy == 0); /* a handle was left open on the loop */
	(void)busy;
}
