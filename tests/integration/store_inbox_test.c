#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "redis_fixture.h"
#include "store/inbox.h"

#define UID STR("alice")
#define INBOX "im:inbox:{alice}"
#define META "im:inbox:{alice}:meta"
#define ROUTES "im:route:{alice}"

static const struct inbox_limits limits = { .max_entries = 100, .expire_s = 1000 };
static struct real_server server = { .kind = REAL_REDIS };

struct append {
	struct redis_fixture *fixture;
	bool has_ended;
	err_t err;
	uint64_t epoch, offset;
	size_t route_count;
	char first_route[64];
};

static void on_appended(void *arg, err_t err, const struct inbox_appended *appended)
{
	struct append *append = arg;

	assert_false(append->has_ended);
	append->has_ended = true;
	append->err = err;
	append->fixture->ended++;
	append->fixture->ended_with[err]++;
	assert_true((err == OK) == (appended != NULL));
	if (!appended)
		return;
	append->epoch = appended->epoch;
	append->offset = appended->offset;
	append->route_count = appended->routes->elements / 2;
	if (append->route_count)
		assert_true(str_copy(append->first_route, sizeof(append->first_route),
		                     redis_reply_str(appended->routes->element[1])));
}

static void append(struct redis_fixture *f, struct append *append, struct str entry)
{
	append->fixture = f;
	f->given++;
	inbox_append(f->redis, &limits, UID, entry, on_appended, append);
}

static struct append append_now(struct redis_fixture *f, struct str entry)
{
	struct append one = { .fixture = NULL };

	append(f, &one, entry);
	redis_fixture_turn(f);
	assert_int_equal(one.err, OK);
	assert_true(one.epoch != 0);
	return one;
}

static void entry_at(struct redis_fixture *f, const char *index, char out[256])
{
	struct redis_call call = { .fixture = NULL };

	redis_fixture_command(f, &call, "LINDEX", INBOX, index, NULL);
	redis_fixture_turn(f);
	assert_int_equal(call.err, OK);
	memcpy(out, call.text, sizeof(call.text));
}

static void command(struct redis_fixture *f, const char *name, const char *key, const char *field, const char *value)
{
	struct redis_call call = { .fixture = NULL };

	redis_fixture_command(f, &call, name, key, field, value, NULL);
	redis_fixture_turn(f);
	assert_int_equal(call.err, OK);
}

static void open_empty(struct redis_fixture *f)
{
	redis_fixture_open(f, &server, 20000);
	command(f, "FLUSHALL", NULL, NULL, NULL);
}

static void entries_are_numbered_one_two_three_in_the_order_of_the_calls(void **state)
{
	struct append appends[90] = { 0 };
	struct redis_fixture f;
	struct buf entry = { 0 };
	char text[256];
	(void)state;

	open_empty(&f);
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

static void a_long_inbox_is_trimmed_and_its_numbers_go_on(void **state)
{
	struct append last = { .fixture = NULL };
	struct redis_fixture f;
	char text[256], number[12];
	(void)state;

	open_empty(&f);
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

	open_empty(&f);
	assert_int_equal(append_now(&f, STR("m")).route_count, 0);
	command(&f, "HSET", ROUTES, "phone", "gateway-1|1|2|ios|3");
	struct append one = append_now(&f, STR("m"));
	assert_int_equal(one.route_count, 1);
	assert_string_equal(one.first_route, "gateway-1|1|2|ios|3");
	redis_fixture_close(&f);
}

static void an_inbox_that_was_forgotten_is_made_under_an_epoch_never_used(void **state)
{
	struct redis_fixture f;
	(void)state;

	open_empty(&f);
	struct append before = append_now(&f, STR("m"));
	append_now(&f, STR("m"));
	command(&f, "FLUSHALL", NULL, NULL, NULL);
	struct append flushed = append_now(&f, STR("m"));
	assert_int_equal(flushed.offset, 1);
	assert_true(flushed.epoch != before.epoch);
	/* The meta hash alone is gone: a list without it is worth nothing. */
	append_now(&f, STR("m"));
	command(&f, "DEL", META, NULL, NULL);
	struct append evicted = append_now(&f, STR("only"));
	assert_int_equal(evicted.offset, 1);
	assert_true(evicted.epoch != flushed.epoch && evicted.epoch != before.epoch);
	assert_int_equal(redis_fixture_number(&f, "LLEN", INBOX), 1);
	/* The list alone is gone: its entries count as trimmed. */
	command(&f, "DEL", INBOX, NULL, NULL);
	struct append trimmed = append_now(&f, STR("m"));
	assert_int_equal(trimmed.offset, 2);
	assert_int_equal(trimmed.epoch, evicted.epoch);
	assert_in_range(redis_fixture_number(&f, "TTL", INBOX), 1400, 1500);
	redis_fixture_close(&f);
}

static void an_old_dump_in_another_redis_process_is_made_anew(void **state)
{
	struct append waiting[20] = { 0 };
	struct redis_fixture f;
	(void)state;

	open_empty(&f);
	struct append before = append_now(&f, STR("m"));
	command(&f, "SAVE", NULL, NULL, NULL);
	append_now(&f, STR("lost"));
	real_server_kill(&server);
	redis_fixture_await_down(&f);
	for (size_t i = 0; i < ARRAY_LEN(waiting); i++)
		append(&f, &waiting[i], STR("m"));
	real_server_start(&server);
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

static void scripts_that_were_forgotten_lose_no_append(void **state)
{
	struct append appends[300] = { 0 };
	struct redis_fixture f;
	(void)state;

	open_empty(&f);
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

static void an_inbox_lives_for_its_time_after_the_last_append(void **state)
{
	struct redis_fixture f;
	(void)state;

	open_empty(&f);
	append_now(&f, STR("m"));
	assert_in_range(redis_fixture_number(&f, "TTL", INBOX), 1490, 1500);
	assert_in_range(redis_fixture_number(&f, "TTL", META), 1490, 1500);
	/* As if a quarter of its time had passed: nothing to do, it will live longer than asked. */
	command(&f, "EXPIRE", INBOX, "1250", NULL);
	command(&f, "EXPIRE", META, "1250", NULL);
	append_now(&f, STR("m"));
	assert_in_range(redis_fixture_number(&f, "TTL", INBOX), 1200, 1250);
	/* As if half had: set again. */
	struct redis_call old = { .fixture = NULL };
	redis_fixture_command(&f, &old, "HINCRBY", META, "x", "-501", NULL);
	redis_fixture_turn(&f);
	append_now(&f, STR("m"));
	assert_in_range(redis_fixture_number(&f, "TTL", INBOX), 1490, 1500);
	assert_in_range(redis_fixture_number(&f, "TTL", META), 1490, 1500);
	/* As if it had been set by a clock that was ahead. */
	struct redis_call ahead = { .fixture = NULL };
	redis_fixture_command(&f, &ahead, "HINCRBY", META, "x", "5000", NULL);
	redis_fixture_turn(&f);
	command(&f, "EXPIRE", INBOX, "1250", NULL);
	append_now(&f, STR("m"));
	assert_in_range(redis_fixture_number(&f, "TTL", INBOX), 1490, 1500);
	redis_fixture_close(&f);
}

static void what_cannot_be_appended_is_told_once(void **state)
{
	struct append appends[30] = { 0 };
	struct redis_fixture f;
	(void)state;

	redis_fixture_open(&f, &server, 20);
	redis_fixture_await_up(&f);
	real_server_kill(&server);
	redis_fixture_await_down(&f);
	for (size_t i = 0; i < ARRAY_LEN(appends); i++)
		append(&f, &appends[i], STR("m"));
	redis_fixture_turn(&f);
	assert_int_equal(f.ended_with[ERR_UNAVAILABLE], ARRAY_LEN(appends));
	real_server_start(&server);
	redis_fixture_close(&f);
}

static int start_server(void **state)
{
	(void)state;
	real_server_make(&server);
	return 0;
}

static int remove_server(void **state)
{
	(void)state;
	real_server_remove(&server);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_are_numbered_one_two_three_in_the_order_of_the_calls),
		cmocka_unit_test(a_long_inbox_is_trimmed_and_its_numbers_go_on),
		cmocka_unit_test(the_routes_come_with_the_append),
		cmocka_unit_test(an_inbox_that_was_forgotten_is_made_under_an_epoch_never_used),
		cmocka_unit_test(an_old_dump_in_another_redis_process_is_made_anew),
		cmocka_unit_test(scripts_that_were_forgotten_lose_no_append),
		cmocka_unit_test(an_inbox_lives_for_its_time_after_the_last_append),
		cmocka_unit_test(what_cannot_be_appended_is_told_once),
	};
	return cmocka_run_group_tests(tests, start_server, remove_server);
}
