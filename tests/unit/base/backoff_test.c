/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/backoff.h"

static void waits_double_up_to_the_maximum_each_in_its_upper_half(void **state)
{
	static const uint64_t ceilings[] = { 100, 200, 400, 800, 1000, 1000, 1000 };
	(void)state;

	for (int round = 0; round < 200; round++) {
		struct backoff backoff;
		backoff_init(&backoff, 100, 1000);
		for (size_t i = 0; i < sizeof(ceilings) / sizeof(ceilings[0]); i++)
			assert_in_range(backoff_next_ms(&backoff), ceilings[i] / 2, ceilings[i]);
	}
}

static void waits_are_spread(void **state)
{
	struct backoff backoff;
	uint64_t least = UINT64_MAX, most = 0;
	(void)state;

	backoff_init(&backoff, 1000, 1000);
	for (int i = 0; i < 1000; i++) {
		uint64_t wait = backoff_next_ms(&backoff);
		least = wait < least ? wait : least;
		most = wait > most ? wait : most;
	}
	assert_in_range(least, 500, 520);
	assert_in_range(most, 980, 1000);
}

static void a_reset_starts_from_the_minimum_again(void **state)
{
	struct backoff backoff;
	(void)state;

	backoff_init(&backoff, 10, 100000);
	for (int i = 0; i < 10; i++)
		backoff_next_ms(&backoff);
	backoff_reset(&backoff);
	assert_in_range(backoff_next_ms(&backoff), 5, 10);
}

static void any_number_of_tries_stays_below_the_maximum(void **state)
{
	struct backoff backoff;
	(void)state;

	backoff_init(&backoff, 1, UINT64_MAX - 1);
	for (int i = 0; i < 1000; i++)
		assert_true(backoff_next_ms(&backoff) < UINT64_MAX);
	assert_true(backoff_next_ms(&backoff) >= UINT64_MAX / 2 - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(waits_double_up_to_the_maximum_each_in_its_upper_half),
		cmocka_unit_test(waits_are_spread),
		cmocka_unit_test(a_reset_starts_from_the_minimum_again),
		cmocka_unit_test(any_number_of_tries_stays_below_the_maximum),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
