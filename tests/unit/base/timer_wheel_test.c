/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "base/timer_wheel.h"
#include "tests/unit/base/seeded.h"

#define START_MS 1000007
#define TURN(level) (1ull << (6 * (level))) /* ticks in one turn below that level */

/* A timer that knows when it went off. */
struct alarm {
	struct timer timer;
	int fired;
	uint64_t fired_at_ms;
};

static struct timer_wheel wheel;
static uint64_t now_ms; /* of the advance that is under way */
static int fired_in_all;

static void ring(struct timer *timer)
{
	struct alarm *alarm = container_of(timer, struct alarm, timer);

	assert_false(timer_is_armed(timer));
	alarm->fired++;
	alarm->fired_at_ms = now_ms;
	fired_in_all++;
}

static void start(uint64_t tick_ms)
{
	fired_in_all = 0;
	now_ms = START_MS;
	timer_wheel_init(&wheel, tick_ms, now_ms);
}

static void advance_to(uint64_t ms)
{
	now_ms = ms;
	timer_wheel_advance(&wheel, ms);
}

static void alarm_init(struct alarm *alarm)
{
	*alarm = (struct alarm){ 0 };
	timer_init(&alarm->timer, ring);
}

static void a_timer_fires_once_at_its_deadline_and_not_before(void **state)
{
	struct alarm alarm;
	(void)state;

	start(1);
	alarm_init(&alarm);
	timer_arm(&wheel, &alarm.timer, START_MS + 50);
	assert_true(timer_is_armed(&alarm.timer));
	assert_int_equal(wheel.armed, 1);
	advance_to(START_MS + 49);
	assert_int_equal(alarm.fired, 0);
	advance_to(START_MS + 50);
	assert_int_equal(alarm.fired, 1);
	assert_int_equal(wheel.armed, 0);
	advance_to(START_MS + 10000);
	assert_int_equal(alarm.fired, 1);
}

static void it_is_never_early_and_at_most_a_tick_late(void **state)
{
	struct alarm alarm;
	(void)state;

	for (uint64_t deadline = START_MS - 20; deadline < START_MS + 100; deadline++) {
		start(10);
		alarm_init(&alarm);
		timer_arm(&wheel, &alarm.timer, deadline);
		for (uint64_t ms = START_MS; !alarm.fired; ms++)
			advance_to(ms);
		assert_true(alarm.fired_at_ms >= deadline);
		assert_true(alarm.fired_at_ms < MAX(deadline, (uint64_t)START_MS) + 10);
	}
}

static void a_deadline_in_the_past_fires_at_the_next_advance(void **state)
{
	struct alarm alarm;
	(void)state;

	start(100);
	for (int i = 0; i < 130; i++) {
		alarm_init(&alarm);
		timer_arm(&wheel, &alarm.timer, now_ms - 500);
		advance_to(now_ms); /* the same time again */
		assert_int_equal(alarm.fired, 1);
		advance_to(now_ms + 100);
	}
	alarm_init(&alarm);
	timer_arm(&wheel, &alarm.timer, 0);
	advance_to(now_ms + 100000000);
	assert_int_equal(alarm.fired, 1);
}

/* Both sides of each border between two levels, and of the furthest slot, from a start that is not on a border. */
static void the_borders_between_levels_are_exact(void **state)
{
	struct alarm alarm;
	(void)state;

	for (int level = 1; level <= WHEEL_LEVELS; level++) {
		for (int64_t shift = -66; shift <= 66; shift++) {
			uint64_t deadline = START_MS + (uint64_t)((int64_t)TURN(level) + shift);
			start(1);
			alarm_init(&alarm);
			timer_arm(&wheel, &alarm.timer, deadline);
			advance_to(deadline - 1);
			assert_int_equal(alarm.fired, deadline <= START_MS);
			advance_to(deadline);
			assert_int_equal(alarm.fired, 1);
			if (level == WHEEL_LEVELS)
				shift += 32; /* sixteen million ticks each */
		}
	}
}

static void a_deadline_beyond_the_whole_wheel_is_kept(void **state)
{
	uint64_t deadline = START_MS + 3 * TURN(WHEEL_LEVELS) + 12345;
	struct alarm far, never;
	(void)state;

	start(1);
	alarm_init(&far);
	alarm_init(&never);
	timer_arm(&wheel, &far.timer, deadline);
	timer_arm(&wheel, &never.timer, UINT64_MAX);
	advance_to(deadline - 1);
	assert_int_equal(fired_in_all, 0);
	advance_to(deadline);
	assert_int_equal(far.fired, 1);
	assert_int_equal(never.fired, 0);
	timer_cancel(&wheel, &never.timer);
	assert_int_equal(wheel.armed, 0);
}

static void cancelling_and_moving_work_from_every_place(void **state)
{
	static const uint64_t distances[] = { 0, 1, 63, 64, 5000, 300000, 20000000, 40000000 };
	const size_t count = sizeof(distances) / sizeof(distances[0]);
	struct alarm alarm;
	(void)state;

	for (size_t from = 0; from < count; from++) {
		start(1);
		alarm_init(&alarm);
		timer_arm(&wheel, &alarm.timer, START_MS + distances[from]);
		timer_cancel(&wheel, &alarm.timer);
		timer_cancel(&wheel, &alarm.timer);
		assert_false(timer_is_armed(&alarm.timer));
		assert_int_equal(wheel.armed, 0);
		advance_to(START_MS + 50000000);
		assert_int_equal(alarm.fired, 0);
		for (size_t to = 0; to < count - 2; to++) {
			start(1);
			timer_arm(&wheel, &alarm.timer, START_MS + distances[from]);
			timer_arm(&wheel, &alarm.timer, START_MS + distances[to] + 1);
			assert_int_equal(wheel.armed, 1);
			alarm.fired = 0;
			advance_to(START_MS + distances[to]);
			assert_int_equal(alarm.fired, 0);
			advance_to(START_MS + distances[to] + 1);
			assert_int_equal(alarm.fired, 1);
		}
	}
}

static void ring_and_arm_again(struct timer *timer)
{
	ring(timer);
	timer_arm(&wheel, timer, timer->deadline_ms + 30);
}

static void a_timer_may_arm_itself_and_misses_no_turn(void **state)
{
	struct alarm alarm;
	(void)state;

	start(10);
	alarm_init(&alarm);
	timer_init(&alarm.timer, ring_and_arm_again);
	timer_arm(&wheel, &alarm.timer, START_MS + 30);
	/* One long step: each firing arms for a tick inside it. */
	advance_to(START_MS + 30 * 100 + 10);
	assert_int_equal(alarm.fired, 100);
	timer_cancel(&wheel, &alarm.timer);
}

static void ring_and_arm_in_the_past(struct timer *timer)
{
	ring(timer);
	timer_arm(&wheel, timer, 0);
}

static void a_timer_that_always_arms_in_the_past_fires_once_an_advance(void **state)
{
	struct alarm alarm;
	(void)state;

	start(1);
	alarm_init(&alarm);
	timer_init(&alarm.timer, ring_and_arm_in_the_past);
	timer_arm(&wheel, &alarm.timer, START_MS + 1);
	for (int i = 1; i <= 10; i++) {
		advance_to(START_MS + 100 * (uint64_t)i);
		assert_int_equal(alarm.fired, i);
	}
	timer_cancel(&wheel, &alarm.timer);
}

static struct alarm *victim;

static void ring_and_free_the_other(struct timer *timer)
{
	struct alarm *self = container_of(timer, struct alarm, timer);

	ring(timer);
	if (victim) {
		timer_cancel(&wheel, &victim->timer);
		free(victim);
		victim = NULL;
	}
	free(self);
}

static void a_firing_timer_may_free_itself_and_one_of_the_same_tick(void **state)
{
	struct alarm *first = malloc(sizeof(*first));
	(void)state;

	start(1);
	victim = malloc(sizeof(*victim));
	assert_non_null(first);
	assert_non_null(victim);
	timer_init(&first->timer, ring_and_free_the_other);
	timer_init(&victim->timer, ring_and_free_the_other);
	first->fired = victim->fired = 0;
	timer_arm(&wheel, &first->timer, START_MS + 70);
	timer_arm(&wheel, &victim->timer, START_MS + 70);
	advance_to(START_MS + 200);
	assert_int_equal(fired_in_all, 1);
	assert_int_equal(wheel.armed, 0);
}

static void a_clock_that_stands_or_goes_back_fires_nothing_new(void **state)
{
	struct alarm alarm;
	(void)state;

	start(1);
	alarm_init(&alarm);
	timer_arm(&wheel, &alarm.timer, START_MS + 5);
	advance_to(START_MS);
	advance_to(START_MS - 1000);
	advance_to(START_MS + 4);
	assert_int_equal(alarm.fired, 0);
	advance_to(START_MS + 5);
	assert_int_equal(alarm.fired, 1);
}

#define MANY 1000000
#define MANY_TICK_MS 10

static uint64_t last_deadline_tick;

static void ring_in_order(struct timer *timer)
{
	uint64_t tick = (timer->deadline_ms + MANY_TICK_MS - 1) / MANY_TICK_MS;

	ring(timer);
	/* The order of a sort by deadline, up to a tick. */
	assert_true(tick >= last_deadline_tick);
	last_deadline_tick = tick;
}

static void a_million_random_timers_fire_in_the_order_of_their_deadlines(void **state)
{
	struct alarm *alarms = calloc(MANY, sizeof(*alarms));
	struct seeded seeded;
	uint64_t step_max = 1;
	(void)state;

	assert_non_null(alarms);
	seeded_init(&seeded);
	start(MANY_TICK_MS);
	last_deadline_tick = 0;
	for (int i = 0; i < MANY; i++) {
		timer_init(&alarms[i].timer, ring_in_order);
		/* As many near as far: up to 1 ms, 2 ms, 4 ms ... 18 hours. */
		uint64_t away = 1 + seeded_below(&seeded, 1ull << seeded_below(&seeded, 27));
		timer_arm(&wheel, &alarms[i].timer, START_MS + away);
	}
	/* A tenth is cancelled, a tenth moved. */
	for (int i = 0; i < MANY; i += 10) {
		timer_cancel(&wheel, &alarms[i].timer);
		timer_arm(&wheel, &alarms[i + 1].timer, START_MS + 1 + seeded_below(&seeded, 1 << 24));
	}
	uint64_t before_ms = START_MS;
	while (wheel.armed) {
		advance_to(before_ms + 1 + seeded_below(&seeded, step_max));
		step_max = MIN(step_max * 2, 100000u);
		before_ms = now_ms;
	}
	assert_int_equal(fired_in_all, MANY - MANY / 10);
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(alarms[i].fired, i % 10 != 0);
		assert_true(!alarms[i].fired || alarms[i].fired_at_ms >= alarms[i].timer.deadline_ms);
	}
	free(alarms);
}

/* At every advance exactly those have fired whose tick has come: against a look at each of them. */
static void after_every_advance_exactly_the_due_timers_have_fired(void **state)
{
	enum { COUNT = 500 };
	struct alarm alarms[COUNT];
	struct seeded seeded;
	(void)state;

	seeded_init(&seeded);
	start(MANY_TICK_MS);
	for (int i = 0; i < COUNT; i++) {
		alarm_init(&alarms[i]);
		uint64_t away = 1 + seeded_below(&seeded, 1ull << seeded_below(&seeded, 24));
		timer_arm(&wheel, &alarms[i].timer, START_MS + away);
	}
	for (int step = 0; step < 3000; step++) {
		advance_to(now_ms + seeded_below(&seeded, 1ull << seeded_below(&seeded, 16)));
		for (int i = 0; i < COUNT; i++) {
			uint64_t tick = (alarms[i].timer.deadline_ms + MANY_TICK_MS - 1) / MANY_TICK_MS;
			assert_int_equal(alarms[i].fired, tick <= now_ms / MANY_TICK_MS);
		}
	}
}

/* A wheel that is advanced only when it asks for it fires every timer in its own tick, with few advances. */
static void a_wheel_that_sleeps_until_its_next_time_misses_no_deadline(void **state)
{
	enum { COUNT = 500 };
	struct alarm alarms[COUNT];
	struct seeded seeded;
	unsigned advances = 0;
	(void)state;

	seeded_init(&seeded);
	start(MANY_TICK_MS);
	assert_true(timer_wheel_next_ms(&wheel) == UINT64_MAX);
	for (int i = 0; i < COUNT; i++) {
		alarm_init(&alarms[i]);
		uint64_t away = seeded_below(&seeded, 1ull << seeded_below(&seeded, 30));
		timer_arm(&wheel, &alarms[i].timer, START_MS + away);
	}
	while (wheel.armed) {
		uint64_t next_ms = timer_wheel_next_ms(&wheel);

		assert_true(next_ms > now_ms);
		advance_to(next_ms);
		advances++;
	}
	for (int i = 0; i < COUNT; i++) {
		uint64_t tick = (alarms[i].timer.deadline_ms + MANY_TICK_MS - 1) / MANY_TICK_MS;
		/* In the first tick, timers of the past are fired. */
		assert_int_equal(alarms[i].fired_at_ms / MANY_TICK_MS, MAX(tick, START_MS / MANY_TICK_MS + 1));
	}
	/* Each timer fires once and moves down at most once a level; one beyond the wheel waits some turns. */
	assert_true(advances <= COUNT * (WHEEL_LEVELS + 4));
	assert_true(timer_wheel_next_ms(&wheel) == UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_timer_fires_once_at_its_deadline_and_not_before),
		cmocka_unit_test(it_is_never_early_and_at_most_a_tick_late),
		cmocka_unit_test(a_deadline_in_the_past_fires_at_the_next_advance),
		cmocka_unit_test(the_borders_between_levels_are_exact),
		cmocka_unit_test(a_deadline_beyond_the_whole_wheel_is_kept),
		cmocka_unit_test(cancelling_and_moving_work_from_every_place),
		cmocka_unit_test(a_timer_may_arm_itself_and_misses_no_turn),
		cmocka_unit_test(a_timer_that_always_arms_in_the_past_fires_once_an_advance),
		cmocka_unit_test(a_firing_timer_may_free_itself_and_one_of_the_same_tick),
		cmocka_unit_test(a_clock_that_stands_or_goes_back_fires_nothing_new),
		cmocka_unit_test(a_million_random_timers_fire_in_the_order_of_their_deadlines),
		cmocka_unit_test(after_every_advance_exactly_the_due_timers_have_fired),
		cmocka_unit_test(a_wheel_that_sleeps_until_its_next_time_misses_no_deadline),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
