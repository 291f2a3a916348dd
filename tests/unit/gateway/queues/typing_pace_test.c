#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "gateway/queues/typing_pace.h"

#define NOW 5000
#define INTERVAL 2000

static void one_passes_for_each_conversation_and_interval(void **state)
{
	struct typing_pace pace = { 0 };
	(void)state;

	assert_true(typing_pace_take(&pace, 1, NOW, INTERVAL));
	assert_false(typing_pace_take(&pace, 1, NOW, INTERVAL));
	assert_true(typing_pace_take(&pace, 2, NOW + 1, INTERVAL));
	assert_false(typing_pace_take(&pace, 1, NOW + INTERVAL - 1, INTERVAL));
	assert_true(typing_pace_take(&pace, 1, NOW + INTERVAL, INTERVAL));
	assert_false(typing_pace_take(&pace, 2, NOW + INTERVAL, INTERVAL));
}

static void conversations_over_the_limit_wait(void **state)
{
	struct typing_pace pace = { 0 };
	(void)state;

	for (uint64_t i = 0; i < TYPING_PACE_CONVERSATIONS; i++)
		assert_true(typing_pace_take(&pace, i, NOW, INTERVAL));
	assert_false(typing_pace_take(&pace, 100, NOW + 1, INTERVAL));
	assert_true(typing_pace_take(&pace, 100, NOW + INTERVAL, INTERVAL));
}

static void without_an_interval_all_pass(void **state)
{
	struct typing_pace pace = { 0 };
	(void)state;

	for (uint64_t i = 0; i < 100; i++)
		assert_true(typing_pace_take(&pace, i % 3, NOW, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_passes_for_each_conversation_and_interval),
		cmocka_unit_test(conversations_over_the_limit_wait),
		cmocka_unit_test(without_an_interval_all_pass),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
