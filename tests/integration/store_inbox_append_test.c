#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "store_inbox_fixture.h"

static void entry_at(struct redis_fixture *f, const char *index, char out[256])
{
	struct redis_call call = { .fixture = NULL };

	redis_fixture_command(f, &call, "LINDEX", INBOX, index, NULL);
	redis_fixture_turn(f);
	assert_int_equal(call.err, OK);
	memcpy(out, call.text, sizeof(call.text));
}

static void entries_are_numbered_one_two_three_in_the_order_of_the_calls(void **state)
{
	struct append appends[90] = { 0 };
	struct redis_fixture f;
	struct buf entry = { 0 };
	char text[256];
	(void)state;

	redis_fixture_open_empty(&f, 20000);
	for (size_t i = 0; i < ARRAY_LEN(appends); i++) {
		buf_clear(&entry);
		inbox_entry_write(&entry, STR("g:room"), i + 1);
		append(&f, &appends[i], buf_str(&entry));
	}
	redis_fixture_turn(&f);
	for (size_t i = 0; i < ARRAY_LEN(appends); i++) {
		assert_int_equal(appends[i].err, OK);
		assert_int_equal(appends[i].offset, i + 1);
		assert_int_equal(appends[i].epoch, appends[0].epoch);
	}
	assert_int_equal(redis_fixture_number(&f, "LLEN", INBOX), 90);
	entry_at(&f, "89", text);
	assert_string_equal(text, "g:room 90");
	buf_release(&entry);
	redis_fixture_close(&f);
}

static void the_entries_of_one_call_have_numbers_that_follow_each_other(void **state)
{
	struct str entries[INBOX_APPEND_MAX];
	struct append one = { .fixture = NULL };
	struct redis_fixture f;
	char text[256];
	(void)state;

	redis_fixture_open_empty(&f, 20000);
	append_now(&f, STR("before"));
	for (size_t i = 0; i < ARRAY_LEN(entries); i++)
		entries[i] = i % 2 ? STR("odd") : STR("even");
	one.fixture = &f;
	f.given++;
	inbox_append(f.redis, &inbox_limits, UID, NULL, entries, ARRAY_LEN(entries), note_appended, &one);
	redis_fixture_turn(&f);
	assert_int_equal(one.err, OK);
	assert_int_equal(one.offset, 2);
	entry_at(&f, "63", text);
	assert_string_equal(text, "even");
	entry_at(&f, "64", text);
	assert_string_equal(text, "odd");
	assert_int_equal(append_now(&f, STR("after")).offset, 66);
	/* both keys live equally long, also when the first append has many entries */
	redis_fixture_run(&f, "DEL", INBOX, NULL);
	f.given++;
	one.has_ended = false;
	inbox_append(f.redis, &inbox_limits, UID, NULL, entries, 2, note_appended, &one);
	redis_fixture_turn(&f);
	assert_int_equal(one.offset, 67);
	assert_in_range(redis_fixture_number(&f, "TTL", INBOX), 1400, 1500);
	redis_fixture_close(&f);
}

static void a_long_inbox_is_trimmed_and_its_numbers_go_on(void **state)
{
	struct append last = { .fixture = NULL };
	struct redis_fixture f;
	char text[256], number[12];
	(void)state;

	redis_fixture_open_empty(&f, 20000);
	for (int i = 1; i <= 250; i++) {
		snprintf(number, sizeof(number), "%d", i);
		last = append_now(&f, str_from(number));
		assert_int_equal(last.offset, i);
		int64_t len = redis_fixture_number(&f, "LLEN", INBOX);
		assert_in_range(len, MIN(i, 100), 110);
		/* Entry o stands at index o - (n - len) - 1. */
		snprintf(number, sizeof(number), "%d", (int)(i - (i - len) - 1));
		entry_at(&f, number, text);
		snprintf(number, sizeof(number), "%d", i);
		assert_string_equal(text, number);
	}
	redis_fixture_close(&f);
}

static void the_routes_come_with_the_append(void **state)
{
	struct redis_fixture f;
	(void)state;

	redis_fixture_open_empty(&f, 20000);
	assert_int_equal(append_now(&f, STR("m")).route_count, 0);
	redis_fixture_run(&f, "HSET", ROUTES, "phone", "gateway-1|1|2|ios|3", NULL);
	struct append one = append_now(&f, STR("m"));
	assert_int_equal(one.route_count, 1);
	assert_string_equal(one.first_route, "gateway-1|1|2|ios|3");
	redis_fixture_close(&f);
}

static void an_inbox_that_was_forgotten_is_made_under_an_epoch_never_used(void **state)
{
	struct redis_fixture f;
	(void)state;

	redis_fixture_open_empty(&f, 20000);
	struct append before = append_now(&f, STR("m"));
	append_now(&f, STR("m"));
	redis_fixture_run(&f, "FLUSHALL", NULL);
	struct append flushed = append_now(&f, STR("m"));
	assert_int_equal(flushed.offset, 1);
	assert_true(flushed.epoch != before.epoch);
	/* Only the meta hash is gone: without it the list is not used. */
	append_now(&f, STR("m"));
	redis_fixture_run(&f, "DEL", META, NULL);
	struct append evicted = append_now(&f, STR("only"));
	assert_int_equal(evicted.offset, 1);
	assert_true(evicted.epoch != flushed.epoch && evicted.epoch != before.epoch);
	assert_int_equal(redis_fixture_number(&f, "LLEN", INBOX), 1);
	/* Only the list is gone: its entries count as trimmed. */
	redis_fixture_run(&f, "DEL", INBOX, NULL);
	struct append trimmed = append_now(&f, STR("m"));
	assert_int_equal(trimmed.offset, 2);
	assert_int_equal(trimmed.epoch, evicted.epoch);
	assert_in_range(redis_fixture_number(&f, "TTL", INBOX), 1400, 1500);
	redis_fixture_close(&f);
}

static void an_inbox_from_an_old_dump_in_another_redis_process_gets_a_new_epoch(void **state)
{
	struct append waiting[20] = { 0 };
	struct redis_fixture f;
	(void)state;

	redis_fixture_open_empty(&f, 20000);
	struct append before = append_now(&f, STR("m"));
	redis_fixture_run(&f, "SAVE", NULL);
	append_now(&f, STR("lost"));
	real_server_kill(&redis_fixture_server);
	redis_fixture_await_down(&f);
	for (size_t i = 0; i < ARRAY_LEN(waiting); i++)
		append(&f, &waiting[i], STR("m"));
	real_server_start(&redis_fixture_server);
	redis_fixture_turn(&f);
	/* The dump's counter stands at 1: under the old epoch, 2 would be given out again. */
	for (size_t i = 0; i < ARRAY_LEN(waiting); i++) {
		assert_int_equal(waiting[i].err, OK);
		assert_int_equal(waiting[i].offset, i + 1);
		assert_int_equal(waiting[i].epoch, waiting[0].epoch);
		assert_true(waiting[i].epoch != before.epoch);
	}
	redis_fixture_close(&f);
}

static void a_flush_of_the_scripts_loses_no_append(void **state)
{
	struct append appends[300] = { 0 };
	struct redis_fixture f;
	(void)state;

	redis_fixture_open_empty(&f, 20000);
	for (size_t i = 0; i < ARRAY_LEN(appends); i++) {
		struct redis_call flush = { .fixture = NULL };
		append(&f, &appends[i], STR("m"));
		if (i % 100 == 50) {
			redis_fixture_command(&f, &flush, "SCRIPT", "FLUSH", NULL);
			redis_fixture_turn(&f);
		}
	}
	redis_fixture_turn(&f);
	for (size_t i = 0; i < ARRAY_LEN(appends); i++) {
		assert_int_equal(appends[i].err, OK);
		assert_int_equal(appends[i].offset, i + 1);
	}
	redis_fixture_close(&f);
}

static void a_failed_append_is_reported_once(void **state)
{
	struct append appends[30] = { 0 };
	struct redis_fixture f;
	(void)state;

	redis_fixture_open(&f, &redis_fixture_server, 20);
	redis_fixture_await_up(&f);
	real_server_kill(&redis_fixture_server);
	redis_fixture_await_down(&f);
	for (size_t i = 0; i < ARRAY_LEN(appends); i++)
		append(&f, &appends[i], STR("m"));
	redis_fixture_turn(&f);
	assert_int_equal(f.ended_with[ERR_UNAVAILABLE], ARRAY_LEN(appends));
	real_server_start(&redis_fixture_server);
	redis_fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_are_numbered_one_two_three_in_the_order_of_the_calls),
		cmocka_unit_test(the_entries_of_one_call_have_numbers_that_follow_each_other),
		cmocka_unit_test(a_long_inbox_is_trimmed_and_its_numbers_go_on),
		cmocka_unit_test(the_routes_come_with_the_append),
		cmocka_unit_test(an_inbox_that_was_forgotten_is_made_under_an_epoch_never_used),
		cmocka_unit_test(an_inbox_from_an_old_dump_in_another_redis_process_gets_a_new_epoch),
		cmocka_unit_test(a_flush_of_the_scripts_loses_no_append),
		cmocka_unit_test(a_failed_append_is_reported_once),
	};
	return cmocka_run_group_tests(tests, redis_fixture_make_server, redis_fixture_remove_server);
}
