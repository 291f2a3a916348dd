/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/macros.h"
#include "loop/worker.h"

#define TASKS 1000

/* A task that notes when it ran, as a number, and may end the worker. */
struct errand {
	struct task task;
	struct worker *worker;
	int *turn;
	int ran_as;
	uv_thread_t thread;
	char thread_name[16];
	bool is_last;
};

static void run_errand(struct task *task)
{
	struct errand *errand = container_of(task, struct errand, task);

	errand->ran_as = ++*errand->turn;
	errand->thread = uv_thread_self();
	pthread_getname_np(pthread_self(), errand->thread_name, sizeof(errand->thread_name));
	if (errand->is_last)
		worker_stop(errand->worker);
}

static void make_errands(struct errand *errands, int count, struct worker *worker, int *turn)
{
	for (int i = 0; i < count; i++)
		errands[i] = (struct errand){ .task = { .run = run_errand }, .worker = worker, .turn = turn };
	errands[count - 1].is_last = true;
}

static void tasks_posted_before_the_start_run_in_order_on_the_workers_thread(void **state)
{
	static struct errand errands[TASKS];
	struct worker worker;
	int turn = 0;
	(void)state;

	assert_int_equal(worker_init(&worker, "a-name-longer-than-fifteen"), OK);
	make_errands(errands, TASKS, &worker, &turn);
	for (int i = 0; i < TASKS; i++)
		worker_post(&worker, &errands[i].task);
	assert_int_equal(turn, 0);
	assert_int_equal(worker_start(&worker), OK);
	worker_join(&worker);
	for (int i = 0; i < TASKS; i++)
		assert_int_equal(errands[i].ran_as, i + 1);
	assert_false(errands[0].thread == uv_thread_self());
	assert_string_equal(errands[0].thread_name, "a-name-longer-t");
}

static void the_main_thread_can_be_a_worker(void **state)
{
	struct errand errands[2];
	struct worker worker;
	int turn = 0;
	(void)state;

	assert_int_equal(worker_init(&worker, "main"), OK);
	make_errands(errands, 2, &worker, &turn);
	worker_post(&worker, &errands[0].task);
	worker_post(&worker, &errands[1].task);
	worker_run(&worker);
	worker_join(&worker);
	assert_int_equal(turn, 2);
	assert_true(errands[0].thread == uv_thread_self());
}

static void a_worker_that_never_ran_ends_too(void **state)
{
	struct worker worker;
	(void)state;

	assert_int_equal(worker_init(&worker, "unused"), OK);
	worker_stop(&worker);
	worker_join(&worker);
}

static void writing_to_a_peer_that_is_gone_does_not_end_the_process(void **state)
{
	struct worker worker;
	int ends[2];
	(void)state;

	assert_int_equal(worker_init(&worker, "sigpipe"), OK);
	assert_int_equal(pipe(ends), 0);
	close(ends[0]);
	assert_int_equal(write(ends[1], "x", 1), -1);
	assert_int_equal(errno, EPIPE);
	close(ends[1]);
	worker_stop(&worker);
	worker_join(&worker);
}

/* Time as the test wants it. Timers run on the test's own thread here, so it needs no lock. */
static uint64_t fake_now_ms;

static uint64_t fake_mono_us(void)
{
	return fake_now_ms * 1000;
}

static uint64_t fake_wall_ms(void)
{
	return fake_now_ms;
}

static const struct clock_source fake_clock = { fake_mono_us, fake_wall_ms };

struct alarm {
	struct worker worker;
	struct timer soon, later;
	struct task look;
	int soon_fired, later_fired;
	bool wakes_while_armed, wakes_when_idle;
};

static void on_soon(struct timer *timer)
{
	struct alarm *alarm = container_of(timer, struct alarm, soon);

	alarm->soon_fired++;
	assert_int_equal(alarm->later_fired, 0);
	alarm->wakes_while_armed = uv_is_active((uv_handle_t *)&alarm->worker.tick) || alarm->worker.covered_ms == 0;
	fake_now_ms += 1000;
}

static void look_at_ticking(struct task *task)
{
	struct alarm *alarm = container_of(task, struct alarm, look);

	alarm->wakes_when_idle = uv_is_active((uv_handle_t *)&alarm->worker.tick);
	worker_stop(&alarm->worker);
}

static void on_later(struct timer *timer)
{
	struct alarm *alarm = container_of(timer, struct alarm, later);

	alarm->later_fired++;
	assert_int_equal(alarm->soon_fired, 1);
	worker_post(&alarm->worker, &alarm->look);
}

static void a_worker_wakes_only_while_a_timer_is_armed_and_keeps_deadlines_after_a_long_sleep(void **state)
{
	struct alarm alarm = { .look = { .run = look_at_ticking } };
	(void)state;

	fake_now_ms = 1000000;
	clock_replace(&fake_clock);
	assert_int_equal(worker_init(&alarm.worker, "alarm"), OK);
	timer_init(&alarm.soon, on_soon);
	timer_init(&alarm.later, on_later);
	assert_false(uv_is_active((uv_handle_t *)&alarm.worker.tick));

	/* A day without a timer; a wheel left behind would fire `later` together with `soon`. */
	fake_now_ms += 86400000;
	worker_arm(&alarm.worker, &alarm.later, fake_now_ms + 1000);
	worker_arm(&alarm.worker, &alarm.soon, fake_now_ms);
	worker_run(&alarm.worker);
	worker_join(&alarm.worker);
	clock_replace(NULL);

	assert_int_equal(alarm.soon_fired, 1);
	assert_int_equal(alarm.later_fired, 1);
	assert_true(alarm.wakes_while_armed);
	assert_false(alarm.wakes_when_idle);
}

/* Time passes in steps of 500 ms, and 20 s at once before the first. */
struct stall {
	struct worker worker;
	struct timer step, deadline;
	uint64_t began_ms, fired_after_ms;
};

static void on_step(struct timer *timer)
{
	struct stall *stall = container_of(timer, struct stall, step);
	bool is_first = fake_now_ms == stall->began_ms;

	if (stall->fired_after_ms) {
		worker_stop(&stall->worker);
		return;
	}
	fake_now_ms += is_first ? 20000 : 500;
	worker_arm_in(&stall->worker, &stall->step, 0);
}

static void on_stall_deadline(struct timer *timer)
{
	struct stall *stall = container_of(timer, struct stall, deadline);

	stall->fired_after_ms = fake_now_ms - stall->began_ms;
}

/* How long a timer of 5 s takes when the loop stands still for 20 s. */
static uint64_t time_of_a_deadline(bool forgives_stalls)
{
	struct stall stall = { .began_ms = 1000000 };

	fake_now_ms = stall.began_ms;
	clock_replace(&fake_clock);
	assert_int_equal(worker_init(&stall.worker, "stall"), OK);
	stall.worker.forgives_stalls = forgives_stalls;
	timer_init(&stall.step, on_step);
	timer_init(&stall.deadline, on_stall_deadline);
	worker_arm_in(&stall.worker, &stall.deadline, 5000);
	worker_arm_in(&stall.worker, &stall.step, 0);
	worker_run(&stall.worker);
	worker_join(&stall.worker);
	clock_replace(NULL);
	return stall.fired_after_ms;
}

static void a_worker_that_forgives_stalls_gives_deadlines_the_time_that_it_stood_still(void **state)
{
	(void)state;

	assert_in_range(time_of_a_deadline(true), 25000, 25500);
	assert_in_range(time_of_a_deadline(false), 20000, 20500);
}

struct punctual {
	struct worker worker;
	struct timer timer;
	uint64_t deadline_ms, fired_ms;
};

static void note_the_time(struct timer *timer)
{
	struct punctual *punctual = container_of(timer, struct punctual, timer);

	punctual->fired_ms = clock_mono_ms();
	worker_stop(&punctual->worker);
}

static void a_timer_fires_at_its_deadline_on_the_real_clock(void **state)
{
	struct punctual punctual;
	(void)state;

	assert_int_equal(worker_init(&punctual.worker, "punctual"), OK);
	timer_init(&punctual.timer, note_the_time);
	punctual.deadline_ms = clock_mono_ms() + 30;
	worker_arm(&punctual.worker, &punctual.timer, punctual.deadline_ms);
	assert_int_equal(worker_start(&punctual.worker), OK);
	worker_join(&punctual.worker);
	assert_in_range(punctual.fired_ms, punctual.deadline_ms, punctual.deadline_ms + 1000);
}

struct sleeper {
	struct worker worker;
	struct timer first, last;
	uv_prepare_t turn;
	unsigned turns;
};

static void count_turn(uv_prepare_t *turn)
{
	((struct sleeper *)turn->data)->turns++;
}

static void arm_a_later_one(struct timer *timer)
{
	struct sleeper *sleeper = container_of(timer, struct sleeper, first);

	worker_arm_in(&sleeper->worker, &sleeper->last, 300);
}

static void wake_up(struct timer *timer)
{
	struct sleeper *sleeper = container_of(timer, struct sleeper, last);

	uv_close((uv_handle_t *)&sleeper->turn, NULL);
	worker_stop(&sleeper->worker);
}

static void a_worker_sleeps_until_the_next_deadline(void **state)
{
	struct sleeper sleeper = { .turns = 0 };
	(void)state;

	assert_int_equal(worker_init(&sleeper.worker, "sleeper"), OK);
	uv_prepare_init(&sleeper.worker.loop, &sleeper.turn);
	sleeper.turn.data = &sleeper;
	uv_prepare_start(&sleeper.turn, count_turn);
	timer_init(&sleeper.first, arm_a_later_one);
	timer_init(&sleeper.last, wake_up);
	worker_arm_in(&sleeper.worker, &sleeper.last, 10000);
	worker_arm_in(&sleeper.worker, &sleeper.first, 300);
	worker_run(&sleeper.worker);
	worker_join(&sleeper.worker);
	/* 60 ticks have passed. It wakes for 2 deadlines, and at most twice for each to move a timer down in the wheel. */
	assert_in_range(sleeper.turns, 2, 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tasks_posted_before_the_start_run_in_order_on_the_workers_thread),
		cmocka_unit_test(the_main_thread_can_be_a_worker),
		cmocka_unit_test(a_worker_that_never_ran_ends_too),
		cmocka_unit_test(writing_to_a_peer_that_is_gone_does_not_end_the_process),
		cmocka_unit_test(a_worker_wakes_only_while_a_timer_is_armed_and_keeps_deadlines_after_a_long_sleep),
		cmocka_unit_test(a_worker_that_forgives_stalls_gives_deadlines_the_time_that_it_stood_still),
		cmocka_unit_test(a_timer_fires_at_its_deadline_on_the_real_clock),
		cmocka_unit_test(a_worker_sleeps_until_the_next_deadline),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
