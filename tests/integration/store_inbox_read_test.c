#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "store_inbox_fixture.h"

static void entries_are_read_page_by_page_from_the_oldest_to_the_head(void **state)
{
	struct redis_fixture f;
	(void)state;

	redis_fixture_open_empty(&f, 20000);
	uint64_t epoch = append_numbers(&f, 1, 7);
	struct read read = read_now(&f, NULL, 3);
	assert_int_equal(read.page.epoch, epoch);
	assert_int_equal(read.page.head, 7);
	check_entries(&read, 0, 3);
	read = read_from(&f, epoch, 0, 3);
	check_entries(&read, 0, 3);
	read = read_from(&f, epoch, 3, 3);
	check_entries(&read, 3, 3);
	read = read_from(&f, epoch, 6, 3);
	check_entries(&read, 6, 1);
	read = read_from(&f, epoch, 7, 3);
	check_entries(&read, 7, 0);
	read = read_from(&f, epoch, 0, 500);
	check_entries(&read, 0, 7);
	redis_fixture_close(&f);
}

static void a_read_makes_an_inbox_that_is_missing_and_the_next_append_goes_into_it(void **state)
{
	struct redis_fixture f;
	(void)state;

	redis_fixture_open_empty(&f, 20000);
	struct read read = read_now(&f, NULL, 10);
	assert_int_equal(read.page.head, 0);
	check_entries(&read, 0, 0);
	assert_in_range(redis_fixture_number(&f, "TTL", META), 1490, 1500);
	assert_int_equal(append_numbers(&f, 1, 2), read.page.epoch);
	assert_in_range(redis_fixture_number(&f, "TTL", INBOX), 1490, 1500);
	read = read_from(&f, read.page.epoch, 0, 10);
	check_entries(&read, 0, 2);
	redis_fixture_close(&f);
}

static void a_position_that_the_inbox_does_not_know_is_a_reset(void **state)
{
	struct redis_fixture f;
	(void)state;

	redis_fixture_open_empty(&f, 20000);
	uint64_t epoch = append_numbers(&f, 1, 3);
	check_verdict(&f, epoch ^ 1, 0, INBOX_RESET);
	check_verdict(&f, epoch ^ 1, 2, INBOX_RESET);
	check_verdict(&f, epoch ^ 1, UINT64_MAX, INBOX_RESET);
	check_verdict(&f, 0, 2, INBOX_RESET);
	check_verdict(&f, UINT64_MAX, 2, INBOX_RESET);
	check_verdict(&f, epoch | 1ull << 60, 2, INBOX_RESET);
	redis_fixture_run(&f, "FLUSHALL", NULL);
	struct read read = read_from(&f, epoch, 3, 10);
	assert_int_equal(read.page.verdict, INBOX_RESET);
	assert_int_equal(read.page.head, 0);
	assert_true(read.page.epoch != epoch);
	check_verdict(&f, read.page.epoch, 0, INBOX_ENTRIES);
	redis_fixture_close(&f);
}

static void an_offset_that_was_never_given_out_is_past_the_head(void **state)
{
	struct redis_fixture f;
	(void)state;

	redis_fixture_open_empty(&f, 20000);
	uint64_t epoch = append_numbers(&f, 1, 3);
	check_verdict(&f, epoch, 3, INBOX_ENTRIES);
	check_verdict(&f, epoch, 4, INBOX_PAST_HEAD);
	check_verdict(&f, epoch, (1ull << 53) + 1, INBOX_PAST_HEAD);
	check_verdict(&f, epoch, 1ull << 63, INBOX_PAST_HEAD);
	check_verdict(&f, epoch, UINT64_MAX, INBOX_PAST_HEAD);
	redis_fixture_close(&f);
}

static void a_reader_that_missed_trimmed_entries_gets_a_reset(void **state)
{
	struct redis_fixture f;
	(void)state;

	redis_fixture_open_empty(&f, 20000);
	uint64_t epoch = append_numbers(&f, 1, 111); /* entry 111 is one too many: it trims the inbox to 100 */
	assert_int_equal(redis_fixture_number(&f, "LLEN", INBOX), 100);
	check_verdict(&f, epoch, 10, INBOX_RESET);
	check_verdict(&f, epoch, 0, INBOX_RESET);
	struct read read = read_from(&f, epoch, 11, 500);
	check_entries(&read, 11, 100);
	read = read_now(&f, NULL, 5);
	check_entries(&read, 11, 5);
	/* Only the list was evicted: all entries count as trimmed, and their numbers are not used again. */
	redis_fixture_run(&f, "DEL", INBOX, NULL);
	check_verdict(&f, epoch, 110, INBOX_RESET);
	check_verdict(&f, epoch, 111, INBOX_ENTRIES);
	read = read_now(&f, NULL, 5);
	check_entries(&read, 111, 0);
	append_numbers(&f, 112, 112);
	check_verdict(&f, epoch, 110, INBOX_RESET);
	read = read_from(&f, epoch, 111, 5);
	check_entries(&read, 111, 1);
	redis_fixture_close(&f);
}

static void the_highest_numbers_are_compared_exactly(void **state)
{
	const uint64_t head = 9007199254740990; /* 2^53 - 2 */
	struct redis_fixture f;
	(void)state;

	redis_fixture_open_empty(&f, 20000);
	uint64_t epoch = append_numbers(&f, 1, 1);
	redis_fixture_run(&f, "HSET", META, "n", "9007199254740989", NULL);
	assert_int_equal(append_now(&f, STR("m")).offset, head);
	check_verdict(&f, epoch, head, INBOX_ENTRIES);
	check_verdict(&f, epoch, head + 1, INBOX_PAST_HEAD);
	check_verdict(&f, epoch, head - 3, INBOX_RESET);
	struct read read = read_from(&f, epoch, head - 1, 5);
	assert_int_equal(read.page.head, head);
	assert_int_equal(read.page.count, 1);
	assert_string_equal(read.entries[0], "m");
	redis_fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_are_read_page_by_page_from_the_oldest_to_the_head),
		cmocka_unit_test(a_read_makes_an_inbox_that_is_missing_and_the_next_append_goes_into_it),
		cmocka_unit_test(a_position_that_the_inbox_does_not_know_is_a_reset),
		cmocka_unit_test(an_offset_that_was_never_given_out_is_past_the_head),
		cmocka_unit_test(a_reader_that_missed_trimmed_entries_gets_a_reset),
		cmocka_unit_test(the_highest_numbers_are_compared_exactly),
	};
	return cmocka_run_group_tests(tests, redis_fixture_make_server, redis_fixture_remove_server);
}
