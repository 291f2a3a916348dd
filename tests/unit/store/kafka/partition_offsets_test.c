#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/macros.h"
#include "store/kafka/partition_offsets.h"

/* Of a clock that has been running for a while. */
#define T0 UINT64_C(1000000)

static struct partition_offsets offsets;

static int begin_at_100(void **state)
{
	(void)state;
	partition_offsets_begin(&offsets, 100);
	return 0;
}

static enum offset_verdict receive(int64_t offset, uint64_t now_ms)
{
	return partition_offsets_receive(&offsets, offset, now_ms);
}

static void records_from_the_committed_offset_on_are_handed_over_once(void **state)
{
	(void)state;

	assert_int_equal(receive(100, T0), OFFSET_NEXT);
	assert_int_equal(receive(101, T0), OFFSET_NEXT);
	assert_int_equal(receive(101, T0), OFFSET_WENT_BACK);
	assert_int_equal(receive(102, T0), OFFSET_NEXT);
}

static void a_gap_in_the_log_is_no_reason_to_wait(void **state)
{
	(void)state;

	assert_int_equal(receive(150, T0), OFFSET_NEXT); /* compaction and transactions leave gaps */
	assert_int_equal(receive(120, T0), OFFSET_WENT_BACK);
	assert_int_equal(receive(151, T0), OFFSET_NEXT);
}

static void without_a_committed_offset_a_partition_begins_with_its_first_record(void **state)
{
	(void)state;

	partition_offsets_begin(&offsets, NO_OFFSET);
	assert_int_equal(receive(0, T0), OFFSET_NEXT);
	assert_int_equal(offsets.taken, 1);
}

static void a_log_that_went_back_is_sought_forward_five_times_a_second(void **state)
{
	unsigned seeks = 0, dropped = 0;
	(void)state;

	assert_int_equal(receive(0, T0), OFFSET_WENT_BACK);
	for (uint64_t ms = 1; ms <= 1000; ms++) {
		enum offset_verdict verdict = receive((int64_t)ms % 100, T0 + ms);
		seeks += verdict == OFFSET_SEEK;
		dropped += verdict == OFFSET_DROP;
	}
	assert_int_equal(seeks, 1000 / OFFSETS_SEEK_AGAIN_MS);
	assert_int_equal(seeks + dropped, 1000);
	assert_int_equal(offsets.taken, 100);
}

static void after_a_calm_time_going_back_is_a_new_episode(void **state)
{
	(void)state;

	assert_int_equal(receive(0, T0), OFFSET_WENT_BACK);
	assert_int_equal(receive(100, T0 + 100), OFFSET_NEXT);
	assert_int_equal(receive(1, T0 + OFFSETS_CALM_MS - 1), OFFSET_SEEK);
	assert_int_equal(receive(1, T0 + 2 * OFFSETS_CALM_MS - 2), OFFSET_SEEK);
	assert_int_equal(receive(1, T0 + 3 * OFFSETS_CALM_MS - 2), OFFSET_WENT_BACK);
}

static void a_log_that_stays_back_was_lost_and_its_records_are_new(void **state)
{
	uint64_t now = T0;
	(void)state;

	partition_offsets_store(&offsets, 100);
	assert_int_equal(receive(0, now), OFFSET_WENT_BACK);
	while ((now += 100) < T0 + OFFSETS_LOST_MS)
		assert_int_not_equal(receive(0, now), OFFSET_LOG_LOST);
	assert_int_equal(receive(0, now), OFFSET_LOG_LOST);
	assert_int_equal(offsets.taken, 100); /* until the owner begins again */
	partition_offsets_begin(&offsets, NO_OFFSET);
	assert_int_equal(receive(0, now), OFFSET_NEXT);
	partition_offsets_store(&offsets, 1);
	assert_int_equal(partition_offsets_commit(&offsets), 1); /* lower than what was committed before */
}

static void an_offset_is_committed_once_and_again_after_a_failure(void **state)
{
	(void)state;

	assert_int_equal(partition_offsets_commit(&offsets), NO_OFFSET);
	partition_offsets_store(&offsets, 110);
	partition_offsets_store(&offsets, 105);
	assert_int_equal(partition_offsets_commit(&offsets), 110);
	assert_int_equal(partition_offsets_commit(&offsets), NO_OFFSET);
	partition_offsets_not_committed(&offsets);
	assert_int_equal(partition_offsets_commit(&offsets), 110);
	partition_offsets_committed(&offsets, 110);
	assert_int_equal(partition_offsets_commit(&offsets), NO_OFFSET);
}

static void a_late_answer_to_an_old_commit_changes_nothing(void **state)
{
	(void)state;

	partition_offsets_store(&offsets, 120);
	assert_int_equal(partition_offsets_commit(&offsets), 120);
	partition_offsets_committed(&offsets, 120);
	partition_offsets_committed(&offsets, 110);
	assert_int_equal(partition_offsets_lag(&offsets, 0, 120), 0);
}

static void lag_counts_from_the_committed_offset_and_untaken_from_the_taken_one(void **state)
{
	static const struct {
		int64_t low, high, lag, untaken;
	} cases[] = {
		{ 0, 130, 30, 20 },
		{ 0, 90, 0, 0 }, /* a log that is behind */
		{ 105, 130, 25, 20 }, /* records that retention has removed do not count */
		{ 115, 130, 15, 15 },
	};
	(void)state;

	for (int64_t offset = 100; offset < 110; offset++)
		assert_int_equal(receive(offset, T0), OFFSET_NEXT);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(partition_offsets_lag(&offsets, cases[i].low, cases[i].high), cases[i].lag);
		assert_int_equal(partition_offsets_untaken(&offsets, cases[i].low, cases[i].high), cases[i].untaken);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(records_from_the_committed_offset_on_are_handed_over_once, begin_at_100),
		cmocka_unit_test_setup(a_gap_in_the_log_is_no_reason_to_wait, begin_at_100),
		cmocka_unit_test(without_a_committed_offset_a_partition_begins_with_its_first_record),
		cmocka_unit_test_setup(a_log_that_went_back_is_sought_forward_five_times_a_second, begin_at_100),
		cmocka_unit_test_setup(after_a_calm_time_going_back_is_a_new_episode, begin_at_100),
		cmocka_unit_test_setup(a_log_that_stays_back_was_lost_and_its_records_are_new, begin_at_100),
		cmocka_unit_test_setup(an_offset_is_committed_once_and_again_after_a_failure, begin_at_100),
		cmocka_unit_test_setup(a_late_answer_to_an_old_commit_changes_nothing, begin_at_100),
		cmocka_unit_test_setup(lag_counts_from_the_committed_offset_and_untaken_from_the_taken_one, begin_at_100),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
