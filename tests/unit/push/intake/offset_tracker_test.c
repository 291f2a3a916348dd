#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "push/intake/offset_tracker.h"

static void the_end_of_the_finished_prefix_may_be_committed(void **state)
{
	struct offset_tracker tracker;
	(void)state;

	offset_tracker_init(&tracker, 10);
	offset_tracker_begin(&tracker, 10);
	offset_tracker_begin(&tracker, 11);
	offset_tracker_begin(&tracker, 12);
	assert_false(offset_tracker_finish(&tracker, 11));
	assert_int_equal(tracker.next, 10);
	assert_true(offset_tracker_finish(&tracker, 10));
	assert_int_equal(tracker.next, 12);
	assert_true(offset_tracker_finish(&tracker, 12));
	assert_int_equal(tracker.next, 13);
	offset_tracker_release(&tracker);
}

static void offsets_that_kafka_skips_are_no_hole(void **state)
{
	struct offset_tracker tracker;
	(void)state;

	offset_tracker_init(&tracker, 0);
	offset_tracker_begin(&tracker, 3);
	offset_tracker_begin(&tracker, 90);
	assert_true(offset_tracker_finish(&tracker, 3));
	assert_int_equal(tracker.next, 4);
	assert_true(offset_tracker_finish(&tracker, 90));
	assert_int_equal(tracker.next, 91);
	offset_tracker_release(&tracker);
}

static void an_offset_that_is_not_under_way_is_ignored(void **state)
{
	struct offset_tracker tracker;
	(void)state;

	offset_tracker_init(&tracker, 5);
	assert_false(offset_tracker_finish(&tracker, 5));
	offset_tracker_begin(&tracker, 5);
	assert_true(offset_tracker_finish(&tracker, 5));
	assert_false(offset_tracker_finish(&tracker, 5));
	assert_int_equal(tracker.next, 6);
	offset_tracker_release(&tracker);
}

/* The records under way grow and shrink over many laps of the ring. */
static void finishing_in_any_order_commits_the_same_as_a_plain_scan(void **state)
{
	enum { COUNT = 5000,
	       WINDOW = 300 };
	static bool is_done[COUNT];
	struct offset_tracker tracker;
	int begun = 0, finished = 0, prefix = 0;
	unsigned seed = 7;
	(void)state;

	offset_tracker_init(&tracker, 0);
	while (finished < COUNT) {
		seed = seed * 1103515245u + 12345u;
		if (begun < COUNT && begun - prefix < WINDOW && (seed >> 16) % 2) {
			offset_tracker_begin(&tracker, begun++);
			continue;
		}
		int pick = prefix + (int)((seed >> 8) % WINDOW);
		if (pick >= begun || is_done[pick])
			continue;
		is_done[pick] = true;
		finished++;
		int before = prefix;
		while (prefix < COUNT && is_done[prefix])
			prefix++;
		assert_int_equal(offset_tracker_finish(&tracker, pick), prefix != before);
		assert_int_equal(tracker.next, prefix);
	}
	offset_tracker_release(&tracker);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_end_of_the_finished_prefix_may_be_committed),
		cmocka_unit_test(offsets_that_kafka_skips_are_no_hole),
		cmocka_unit_test(an_offset_that_is_not_under_way_is_ignored),
		cmocka_unit_test(finishing_in_any_order_commits_the_same_as_a_plain_scan),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
