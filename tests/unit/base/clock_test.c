/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <time.h>

#include "base/clock.h"

static uint64_t frozen_mono_us(void)
{
	return 1234567;
}

static uint64_t frozen_wall_ms(void)
{
	return 1700000000000;
}

static void the_monotonic_clock_never_goes_back(void **state)
{
	uint64_t last = clock_mono_us();
	(void)state;

	for (int i = 0; i < 100000; i++) {
		uint64_t now = clock_mono_us();
		assert_true(now >= last);
		last = now;
	}
	assert_true(clock_mono_ms() >= last / 1000);
}

static void the_wall_clock_is_the_systems(void **state)
{
	uint64_t before = (uint64_t)time(NULL);
	uint64_t now = clock_wall_ms();
	uint64_t after = (uint64_t)time(NULL);
	(void)state;

	/* time() reads a coarse clock, up to a tick behind. */
	assert_in_range(now / 1000, before, after + 1);
}

static void a_test_can_put_its_own_clocks_in_place_and_take_them_away(void **state)
{
	static const struct clock_source frozen = { frozen_mono_us, frozen_wall_ms };
	(void)state;

	clock_replace(&frozen);
	assert_true(clock_mono_us() == 1234567);
	assert_true(clock_mono_ms() == 1234);
	assert_true(clock_wall_ms() == 1700000000000);
	clock_replace(NULL);
	assert_true(clock_wall_ms() > 1700000000000);
}

static uint64_t mono_us, wall_ms;

static uint64_t set_mono_us(void)
{
	return mono_us;
}

static uint64_t set_wall_ms(void)
{
	return wall_ms;
}

static void a_watch_notices_that_the_wall_clock_was_set_once_and_either_way(void **state)
{
	static const struct clock_source set = { set_mono_us, set_wall_ms };
	struct clock_watch watch;
	(void)state;

	clock_replace(&set);
	mono_us = 5000000;
	wall_ms = 1700000000000;
	clock_watch_init(&watch);
	assert_false(clock_watch_was_set(&watch));
	for (int i = 0; i < 100; i++) { /* an hour, slewed by a second */
		mono_us += 36000000;
		wall_ms += 36010;
		assert_false(clock_watch_was_set(&watch));
	}
	wall_ms += 1000;
	assert_true(clock_watch_was_set(&watch));
	assert_false(clock_watch_was_set(&watch));
	wall_ms = 1000; /* before the start of the other clock */
	assert_true(clock_watch_was_set(&watch));
	assert_false(clock_watch_was_set(&watch));
	clock_replace(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_monotonic_clock_never_goes_back),
		cmocka_unit_test(the_wall_clock_is_the_systems),
		cmocka_unit_test(a_test_can_put_its_own_clocks_in_place_and_take_them_away),
		cmocka_unit_test(a_watch_notices_that_the_wall_clock_was_set_once_and_either_way),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
