#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "im/entries/queue_wait.h"

/* 64 sends in 16 ms: 4 a millisecond. */
static struct queue_wait at_four_a_millisecond(void)
{
	struct queue_wait wait;

	queue_wait_init(&wait, 64);
	queue_wait_done(&wait, 64, 16000);
	return wait;
}

static void an_empty_queue_has_no_wait(void **state)
{
	struct queue_wait wait;
	(void)state;

	queue_wait_init(&wait, 64);
	assert_int_equal(queue_wait_end_interval(&wait, 0, 0), 0);
	queue_wait_cut(&wait, 0);
	assert_int_equal(queue_wait_end_interval(&wait, 0, 0), 0);
}

static void the_wait_is_the_length_divided_by_the_pace(void **state)
{
	struct queue_wait wait = at_four_a_millisecond();
	(void)state;

	queue_wait_cut(&wait, 200);
	queue_wait_cut(&wait, 190);
	assert_int_equal(queue_wait_end_interval(&wait, 800, 210), 200);
}

static void a_burst_that_has_hardly_waited_counts_little(void **state)
{
	struct queue_wait wait = at_four_a_millisecond();
	(void)state;

	queue_wait_cut(&wait, 70);
	queue_wait_cut(&wait, 2);
	queue_wait_cut(&wait, 30);
	assert_in_range(queue_wait_end_interval(&wait, 4000, 90), 1, 99);
}

static void a_burst_is_measured_before_its_first_entry_is_at_the_front(void **state)
{
	struct queue_wait wait = at_four_a_millisecond();
	(void)state;

	queue_wait_cut(&wait, 100);
	assert_in_range(queue_wait_end_interval(&wait, 4000, 110), 300, 400);
}

static void while_no_batch_is_cut_the_wait_is_the_age_of_the_head(void **state)
{
	struct queue_wait wait = at_four_a_millisecond();
	(void)state;

	queue_wait_cut(&wait, 5);
	(void)queue_wait_end_interval(&wait, 100, 0);
	assert_int_equal(queue_wait_end_interval(&wait, 100, 105), 105);
	assert_int_equal(queue_wait_end_interval(&wait, 100, 205), 205);
}

static void entries_of_the_next_batch_do_not_count(void **state)
{
	struct queue_wait wait = at_four_a_millisecond();
	(void)state;

	assert_int_equal(queue_wait_end_interval(&wait, 64, 500), 0);
	assert_int_equal(queue_wait_end_interval(&wait, 65, 500), 500);
}

static void there_is_room_for_the_entries_that_leave_in_time(void **state)
{
	struct queue_wait wait;
	(void)state;

	queue_wait_init(&wait, 64);
	assert_int_equal(queue_wait_room(&wait), UINT32_MAX); /* nothing is known yet */
	wait = at_four_a_millisecond();
	assert_int_equal(queue_wait_room(&wait), 4 * QUEUE_WAIT_MAX_MS);
	for (int i = 0; i < 100; i++)
		queue_wait_done(&wait, 1, 1000000);
	assert_int_equal(queue_wait_room(&wait), 4 * 64);
	queue_wait_done(&wait, 256, 0); /* the clock did not advance */
	assert_true(queue_wait_room(&wait) >= 4 * 64);
}

/* Changes that add members go alone. Between batches of sends the pace is that of all entries together. */
static void entries_that_go_alone_count_by_their_time(void **state)
{
	struct queue_wait wait;
	(void)state;

	queue_wait_init(&wait, 64);
	for (int i = 0; i < 200; i++) {
		queue_wait_done(&wait, 64, 6000);
		queue_wait_done(&wait, 1, 2000);
	}
	assert_in_range(queue_wait_room(&wait), 65 * QUEUE_WAIT_MAX_MS / 8 * 9 / 10, 65 * QUEUE_WAIT_MAX_MS / 8 * 11 / 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_queue_has_no_wait),
		cmocka_unit_test(the_wait_is_the_length_divided_by_the_pace),
		cmocka_unit_test(a_burst_that_has_hardly_waited_counts_little),
		cmocka_unit_test(a_burst_is_measured_before_its_first_entry_is_at_the_front),
		cmocka_unit_test(while_no_batch_is_cut_the_wait_is_the_age_of_the_head),
		cmocka_unit_test(entries_of_the_next_batch_do_not_count),
		cmocka_unit_test(there_is_room_for_the_entries_that_leave_in_time),
		cmocka_unit_test(entries_that_go_alone_count_by_their_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
