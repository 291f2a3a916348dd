#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "store_inbox_fixture.h"

/* ---- age: max_age is 500 s ---- */

static void an_entry_stays_for_max_age_and_goes_before_twice_that(void **state)
{
	struct redis_fixture f;
	(void)state;

	redis_fixture_open_empty(&f, 20000);
	uint64_t epoch = append_numbers(&f, 1, 2);
	shift(&f, "t", "-501");
	/* The first mark is of the empty inbox: nothing is trimmed. A new mark stands after the entries that are there. */
	append_numbers(&f, 3, 4);
	assert_int_equal(redis_fixture_number(&f, "LLEN", INBOX), 4);
	shift(&f, "t", "-499");
	append_numbers(&f, 5, 5);
	assert_int_equal(redis_fixture_number(&f, "LLEN", INBOX), 5);
	shift(&f, "t", "-10");
	append_numbers(&f, 6, 6); /* 1 and 2 are over 500 s old; 3 to 5 need not be */
	assert_int_equal(redis_fixture_number(&f, "LLEN", INBOX), 4);
	check_verdict(&f, epoch, 1, INBOX_RESET);
	struct read read = read_from(&f, epoch, 2, 10);
	check_entries(&read, 2, 4);
	shift(&f, "t", "-501");
	append_numbers(&f, 7, 7); /* 3 to 5 were there when the last mark was made */
	read = read_now(&f, NULL, 10);
	check_entries(&read, 5, 2);
	redis_fixture_close(&f);
}

static void a_read_trims_what_is_too_old_too(void **state)
{
	struct redis_fixture f;
	(void)state;

	redis_fixture_open_empty(&f, 20000);
	uint64_t epoch = append_numbers(&f, 1, 3);
	shift(&f, "t", "-501");
	check_verdict(&f, epoch, 0, INBOX_ENTRIES);
	shift(&f, "t", "-501");
	check_verdict(&f, epoch, 2, INBOX_RESET);
	check_verdict(&f, epoch, 3, INBOX_ENTRIES);
	assert_int_equal(redis_fixture_number(&f, "EXISTS", INBOX), 0);
	redis_fixture_close(&f);
}

static void entries_of_an_inbox_untouched_for_twice_max_age_go_at_once(void **state)
{
	struct redis_fixture f;
	(void)state;

	redis_fixture_open_empty(&f, 20000);
	uint64_t epoch = append_numbers(&f, 1, 3);
	shift(&f, "t", "-1001");
	append_numbers(&f, 4, 4);
	check_verdict(&f, epoch, 2, INBOX_RESET);
	struct read read = read_from(&f, epoch, 3, 10);
	check_entries(&read, 3, 1);
	redis_fixture_close(&f);
}

static void a_mark_from_a_clock_that_was_ahead_or_a_missing_mark_trims_nothing(void **state)
{
	struct redis_fixture f;
	(void)state;

	redis_fixture_open_empty(&f, 20000);
	append_numbers(&f, 1, 3);
	shift(&f, "t", "5000");
	append_numbers(&f, 4, 4);
	shift(&f, "t", "-501");
	append_numbers(&f, 5, 5); /* so a new mark was made at 3 */
	struct read read = read_now(&f, NULL, 10);
	check_entries(&read, 3, 2);
	/* As inboxes of an earlier version are. */
	struct redis_call call = { .fixture = NULL };
	redis_fixture_command(&f, &call, "HDEL", META, "a", "t", NULL);
	redis_fixture_turn(&f);
	append_numbers(&f, 6, 6);
	read = read_now(&f, NULL, 10);
	check_entries(&read, 3, 3);
	redis_fixture_close(&f);
}

/* ---- the life of an inbox: 1000 s, set to 1500 s ---- */

static void a_read_lets_an_inbox_live_on_and_an_append_does_not(void **state)
{
	struct redis_fixture f;
	(void)state;

	redis_fixture_open_empty(&f, 20000);
	append_numbers(&f, 1, 1);
	assert_in_range(redis_fixture_number(&f, "TTL", INBOX), 1490, 1500);
	assert_in_range(redis_fixture_number(&f, "TTL", META), 1490, 1500);
	/* Half of its lifetime has not passed, so nothing is extended: it already lives longer than asked. */
	expire_in(&f, "1250");
	read_now(&f, NULL, 1);
	assert_in_range(redis_fixture_number(&f, "TTL", INBOX), 1200, 1250);
	shift(&f, "x", "-501");
	append_numbers(&f, 2, 2);
	assert_in_range(redis_fixture_number(&f, "TTL", INBOX), 1200, 1250);
	assert_in_range(redis_fixture_number(&f, "TTL", META), 1200, 1250);
	read_now(&f, NULL, 1);
	assert_in_range(redis_fixture_number(&f, "TTL", INBOX), 1490, 1500);
	assert_in_range(redis_fixture_number(&f, "TTL", META), 1490, 1500);
	/* As if it had been set by a clock that was ahead. */
	shift(&f, "x", "5000");
	expire_in(&f, "1250");
	read_now(&f, NULL, 1);
	assert_in_range(redis_fixture_number(&f, "TTL", INBOX), 1490, 1500);
	redis_fixture_close(&f);
}

static void a_list_that_begins_again_lives_as_long_as_its_inbox(void **state)
{
	struct redis_fixture f;
	(void)state;

	redis_fixture_open_empty(&f, 20000);
	append_numbers(&f, 1, 3);
	expire_in(&f, "300");
	shift(&f, "t", "-1001");
	append_numbers(&f, 4, 4);
	assert_in_range(redis_fixture_number(&f, "TTL", INBOX), 200, 300);
	assert_in_range(redis_fixture_number(&f, "TTL", META), 200, 300);
	redis_fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_entry_stays_for_max_age_and_goes_before_twice_that),
		cmocka_unit_test(a_read_trims_what_is_too_old_too),
		cmocka_unit_test(entries_of_an_inbox_untouched_for_twice_max_age_go_at_once),
		cmocka_unit_test(a_mark_from_a_clock_that_was_ahead_or_a_missing_mark_trims_nothing),
		cmocka_unit_test(a_read_lets_an_inbox_live_on_and_an_append_does_not),
		cmocka_unit_test(a_list_that_begins_again_lives_as_long_as_its_inbox),
	};
	return cmocka_run_group_tests(tests, redis_fixture_make_server, redis_fixture_remove_server);
}
