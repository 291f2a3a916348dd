/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/msgid.h"

#define NOW_MS (MSGID_EPOCH_MS + 60000000000ull)

static void an_id_holds_its_time_and_its_node(void **state)
{
	struct msgid gen;
	(void)state;

	msgid_init(&gen, 1023);
	uint64_t id = msgid_next(&gen, NOW_MS);
	assert_true(msgid_time_ms(id) == NOW_MS);
	assert_int_equal(msgid_node(id), 1023);
	assert_true(id == (60000000000ull << 22 | 1023u << 12));
	msgid_init(&gen, 0);
	id = msgid_next(&gen, NOW_MS);
	assert_true(id == 60000000000ull << 22);
	assert_int_equal(msgid_node(id), 0);
}

static void ids_of_one_millisecond_count_up(void **state)
{
	struct msgid gen;
	(void)state;

	msgid_init(&gen, 7);
	uint64_t first = msgid_next(&gen, NOW_MS);
	for (uint64_t i = 1; i < 4096; i++)
		assert_true(msgid_next(&gen, NOW_MS) == first + i);
}

static void more_than_4096_in_a_millisecond_go_on_in_the_next(void **state)
{
	struct msgid gen;
	uint64_t last = 0;
	(void)state;

	msgid_init(&gen, 7);
	for (int i = 0; i < 3 * 4096; i++) {
		uint64_t id = msgid_next(&gen, NOW_MS);
		assert_true(id > last);
		assert_int_equal(msgid_node(id), 7);
		assert_true(msgid_time_ms(id) == NOW_MS + (uint64_t)i / 4096);
		last = id;
	}
	/* The clock catches up with the borrowed milliseconds and takes over again. */
	assert_true(msgid_time_ms(msgid_next(&gen, NOW_MS + 2)) == NOW_MS + 3);
	assert_true(msgid_time_ms(msgid_next(&gen, NOW_MS + 5)) == NOW_MS + 5);
}

static void a_clock_that_steps_back_does_not_take_the_ids_along(void **state)
{
	struct msgid gen;
	(void)state;

	msgid_init(&gen, 7);
	uint64_t before = msgid_next(&gen, NOW_MS);
	assert_true(msgid_next(&gen, NOW_MS - 5000) == before + 1);
	assert_true(msgid_next(&gen, 0) == before + 2);
	assert_true(msgid_time_ms(msgid_next(&gen, NOW_MS + 1)) == NOW_MS + 1);
}

static void ids_of_two_nodes_never_meet_and_follow_the_time(void **state)
{
	struct msgid a, b;
	(void)state;

	msgid_init(&a, 1);
	msgid_init(&b, 2);
	for (uint64_t ms = 0; ms < 100; ms++) {
		uint64_t early = msgid_next(&a, NOW_MS + 2 * ms);
		uint64_t late = msgid_next(&b, NOW_MS + 2 * ms + 1);
		uint64_t same = msgid_next(&a, NOW_MS + 2 * ms + 1);
		assert_true(early < late && early < same);
		assert_true(late != same);
	}
}

static void raised_ids_are_above_the_floor_of_any_node(void **state)
{
	struct msgid made, gen;
	(void)state;

	for (unsigned node = 6; node <= 8; node++) {
		msgid_init(&made, node);
		uint64_t floor = 0;
		for (int i = 0; i < 3; i++)
			floor = msgid_next(&made, NOW_MS);
		msgid_init(&gen, 7);
		msgid_raise(&gen, floor);
		uint64_t id = msgid_next(&gen, NOW_MS - 10000);
		assert_true(id > floor);
		assert_int_equal(msgid_node(id), 7);
		assert_in_range(msgid_time_ms(id), NOW_MS, NOW_MS + 1);
	}
}

static void a_low_floor_changes_nothing(void **state)
{
	struct msgid gen;
	(void)state;

	msgid_init(&gen, 7);
	uint64_t before = msgid_next(&gen, NOW_MS);
	msgid_raise(&gen, 0);
	msgid_raise(&gen, before - 4096);
	assert_true(msgid_next(&gen, NOW_MS) == before + 1);
}

static void a_clock_before_2024_still_gives_ids_that_are_not_zero(void **state)
{
	struct msgid gen;
	(void)state;

	msgid_init(&gen, 0);
	uint64_t first = msgid_next(&gen, 5);
	assert_true(first > 0);
	assert_true(msgid_next(&gen, 5) > first);
	assert_true(msgid_time_ms(first) == MSGID_EPOCH_MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_id_holds_its_time_and_its_node),
		cmocka_unit_test(ids_of_one_millisecond_count_up),
		cmocka_unit_test(more_than_4096_in_a_millisecond_go_on_in_the_next),
		cmocka_unit_test(a_clock_that_steps_back_does_not_take_the_ids_along),
		cmocka_unit_test(ids_of_two_nodes_never_meet_and_follow_the_time),
		cmocka_unit_test(raised_ids_are_above_the_floor_of_any_node),
		cmocka_unit_test(a_low_floor_changes_nothing),
		cmocka_unit_test(a_clock_before_2024_still_gives_ids_that_are_not_zero),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
