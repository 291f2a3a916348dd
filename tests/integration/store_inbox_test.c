#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "redis_fixture.h"
#include "cluster/inbox.h"

#define UID STR("alice")
#define INBOX "im:inbox:{alice}"
#define META "im:inbox:{alice}:meta"
#define ROUTES "im:route:{alice}"

static const struct inbox_limits limits = { .max_entries = 100, .max_age_s = 500, .expire_s = 1000 };
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
	inbox_append(f->redis, &limits, UID, &entry, 1, on_appended, append);
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

static void the_entries_of_one_call_have_numbers_that_follow_each_other(void **state)
{
	struct str entries[INBOX_APPEND_MAX];
	struct append one = { .fixture = NULL };
	struct redis_fixture f;
	char text[256];
	(void)state;

	open_empty(&f);
	append_now(&f, STR("before"));
	for (size_t i = 0; i < ARRAY_LEN(entries); i++)
		entries[i] = i % 2 ? STR("odd") : STR("even");
	one.fixture = &f;
	f.given++;
	inbox_append(f.redis, &limits, UID, entries, ARRAY_LEN(entries), on_appended, &one);
	redis_fixture_turn(&f);
	assert_int_equal(one.err, OK);
	assert_int_equal(one.offset, 2);
	entry_at(&f, "63", text);
	assert_string_equal(text, "even");
	entry_at(&f, "64", text);
	assert_string_equal(text, "odd");
	assert_int_equal(append_now(&f, STR("after")).offset, 66);
	/* both keys live as long, also when the list begins with many at once */
	command(&f, "DEL", INBOX, NULL, NULL);
	f.given++;
	one.has_ended = false;
	inbox_append(f.redis, &limits, UID, entries, 2, on_appended, &one);
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

/* As if `field` of the meta hash, a time, had been written so many seconds later, or earlier. */
static void shift(struct redis_fixture *f, const char *field, const char *seconds)
{
	struct redis_call call = { .fixture = NULL };

	redis_fixture_command(f, &call, "HINCRBY", META, field, seconds, NULL);
	redis_fixture_turn(f);
	assert_int_equal(call.err, OK);
}

static void expire_in(struct redis_fixture *f, const char *seconds)
{
	command(f, "EXPIRE", INBOX, seconds, NULL);
	command(f, "EXPIRE", META, seconds, NULL);
}

/* ---- reading ---- */

struct read {
	struct redis_fixture *fixture;
	err_t err;
	struct inbox_page page;
	char entries[8][64]; /* the first of them */
};

static void on_read(void *arg, err_t err, const struct inbox_page *page)
{
	struct read *read = arg;

	read->err = err;
	read->fixture->ended++;
	assert_true((err == OK) == (page != NULL));
	if (!page)
		return;
	read->page = *page;
	for (size_t i = 0; i < page->count && i < ARRAY_LEN(read->entries); i++)
		assert_true(str_copy(read->entries[i], sizeof(read->entries[i]), inbox_page_entry(page, i)));
}

static struct read read_now(struct redis_fixture *f, const struct inbox_position *position, unsigned limit)
{
	struct read read = { .fixture = f };

	f->given++;
	inbox_read(f->redis, &limits, UID, position, limit, on_read, &read);
	redis_fixture_turn(f);
	assert_int_equal(read.err, OK);
	assert_true(read.page.epoch != 0);
	return read;
}

static struct read read_from(struct redis_fixture *f, uint64_t epoch, uint64_t offset, unsigned limit)
{
	const struct inbox_position position = { .epoch = epoch, .offset = offset };

	return read_now(f, &position, limit);
}

/* Entries are their own numbers. */
static uint64_t append_numbers(struct redis_fixture *f, int first, int last)
{
	struct append one = { .fixture = NULL };
	char number[12];

	for (int i = first; i <= last; i++) {
		snprintf(number, sizeof(number), "%d", i);
		one = append_now(f, str_from(number));
		assert_int_equal(one.offset, i);
	}
	return one.epoch;
}

static void check_entries(const struct read *read, uint64_t after, size_t count)
{
	char number[12];

	assert_int_equal(read->page.verdict, INBOX_ENTRIES);
	assert_int_equal(read->page.after, after);
	assert_int_equal(read->page.count, count);
	for (size_t i = 0; i < count && i < ARRAY_LEN(read->entries); i++) {
		snprintf(number, sizeof(number), "%d", (int)(after + 1 + i));
		assert_string_equal(read->entries[i], number);
	}
}

static void check_verdict(struct redis_fixture *f, uint64_t epoch, uint64_t offset, enum inbox_verdict verdict)
{
	struct read read = read_from(f, epoch, offset, 10);

	assert_int_equal(read.page.verdict, verdict);
	if (verdict == INBOX_ENTRIES)
		return;
	assert_int_equal(read.page.after, read.page.head);
	assert_int_equal(read.page.count, 0);
}

static void entries_are_read_page_by_page_from_the_oldest_to_the_head(void **state)
{
	struct redis_fixture f;
	(void)state;

	open_empty(&f);
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

	open_empty(&f);
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

	open_empty(&f);
	uint64_t epoch = append_numbers(&f, 1, 3);
	check_verdict(&f, epoch ^ 1, 0, INBOX_RESET);
	check_verdict(&f, epoch ^ 1, 2, INBOX_RESET);
	check_verdict(&f, epoch ^ 1, UINT64_MAX, INBOX_RESET);
	check_verdict(&f, 0, 2, INBOX_RESET);
	check_verdict(&f, UINT64_MAX, 2, INBOX_RESET);
	check_verdict(&f, epoch | 1ull << 60, 2, INBOX_RESET);
	command(&f, "FLUSHALL", NULL, NULL, NULL);
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

	open_empty(&f);
	uint64_t epoch = append_numbers(&f, 1, 3);
	check_verdict(&f, epoch, 3, INBOX_ENTRIES);
	check_verdict(&f, epoch, 4, INBOX_PAST_HEAD);
	check_verdict(&f, epoch, (1ull << 53) + 1, INBOX_PAST_HEAD);
	check_verdict(&f, epoch, 1ull << 63, INBOX_PAST_HEAD);
	check_verdict(&f, epoch, UINT64_MAX, INBOX_PAST_HEAD);
	redis_fixture_close(&f);
}

static void what_was_trimmed_by_number_is_a_reset_for_who_has_not_had_it(void **state)
{
	struct redis_fixture f;
	(void)state;

	open_empty(&f);
	uint64_t epoch = append_numbers(&f, 1, 111); /* 111 is one too many: 100 stay */
	assert_int_equal(redis_fixture_number(&f, "LLEN", INBOX), 100);
	check_verdict(&f, epoch, 10, INBOX_RESET);
	check_verdict(&f, epoch, 0, INBOX_RESET);
	struct read read = read_from(&f, epoch, 11, 500);
	check_entries(&read, 11, 100);
	read = read_now(&f, NULL, 5);
	check_entries(&read, 11, 5);
	/* The list alone was evicted: all of it counts as trimmed, and its numbers are not used again. */
	command(&f, "DEL", INBOX, NULL, NULL);
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

	open_empty(&f);
	uint64_t epoch = append_numbers(&f, 1, 1);
	command(&f, "HSET", META, "n", "9007199254740989");
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

/* ---- age: max_age is 500 s ---- */

static void an_entry_stays_for_max_age_and_goes_before_twice_that(void **state)
{
	struct redis_fixture f;
	(void)state;

	open_empty(&f);
	uint64_t epoch = append_numbers(&f, 1, 2);
	shift(&f, "t", "-501");
	/* The first mark was the empty inbox's: nothing goes, and a new mark is behind what is there. */
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

	open_empty(&f);
	uint64_t epoch = append_numbers(&f, 1, 3);
	shift(&f, "t", "-501");
	check_verdict(&f, epoch, 0, INBOX_ENTRIES);
	shift(&f, "t", "-501");
	check_verdict(&f, epoch, 2, INBOX_RESET);
	check_verdict(&f, epoch, 3, INBOX_ENTRIES);
	assert_int_equal(redis_fixture_number(&f, "EXISTS", INBOX), 0);
	redis_fixture_close(&f);
}

static void what_nobody_touched_for_twice_max_age_goes_at_once(void **state)
{
	struct redis_fixture f;
	(void)state;

	open_empty(&f);
	uint64_t epoch = append_numbers(&f, 1, 3);
	shift(&f, "t", "-1001");
	append_numbers(&f, 4, 4);
	check_verdict(&f, epoch, 2, INBOX_RESET);
	struct read read = read_from(&f, epoch, 3, 10);
	check_entries(&read, 3, 1);
	redis_fixture_close(&f);
}

static void a_mark_of_a_clock_that_was_ahead_or_none_at_all_trims_nothing(void **state)
{
	struct redis_fixture f;
	(void)state;

	open_empty(&f);
	append_numbers(&f, 1, 3);
	shift(&f, "t", "5000");
	append_numbers(&f, 4, 4);
	shift(&f, "t", "-501");
	append_numbers(&f, 5, 5); /* so the mark was made anew at 3 */
	struct read read = read_now(&f, NULL, 10);
	check_entries(&read, 3, 2);
	/* As an inbox of an earlier version is. */
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

	open_empty(&f);
	append_numbers(&f, 1, 1);
	assert_in_range(redis_fixture_number(&f, "TTL", INBOX), 1490, 1500);
	assert_in_range(redis_fixture_number(&f, "TTL", META), 1490, 1500);
	/* Half of its time has not passed: nothing to do, it will live longer than asked. */
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

	open_empty(&f);
	append_numbers(&f, 1, 3);
	expire_in(&f, "300");
	shift(&f, "t", "-1001");
	append_numbers(&f, 4, 4);
	assert_in_range(redis_fixture_number(&f, "TTL", INBOX), 200, 300);
	assert_in_range(redis_fixture_number(&f, "TTL", META), 200, 300);
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
		cmocka_unit_test(the_entries_of_one_call_have_numbers_that_follow_each_other),
		cmocka_unit_test(a_long_inbox_is_trimmed_and_its_numbers_go_on),
		cmocka_unit_test(the_routes_come_with_the_append),
		cmocka_unit_test(an_inbox_that_was_forgotten_is_made_under_an_epoch_never_used),
		cmocka_unit_test(an_old_dump_in_another_redis_process_is_made_anew),
		cmocka_unit_test(scripts_that_were_forgotten_lose_no_append),
		cmocka_unit_test(entries_are_read_page_by_page_from_the_oldest_to_the_head),
		cmocka_unit_test(a_read_makes_an_inbox_that_is_missing_and_the_next_append_goes_into_it),
		cmocka_unit_test(a_position_that_the_inbox_does_not_know_is_a_reset),
		cmocka_unit_test(an_offset_that_was_never_given_out_is_past_the_head),
		cmocka_unit_test(what_was_trimmed_by_number_is_a_reset_for_who_has_not_had_it),
		cmocka_unit_test(the_highest_numbers_are_compared_exactly),
		cmocka_unit_test(an_entry_stays_for_max_age_and_goes_before_twice_that),
		cmocka_unit_test(a_read_trims_what_is_too_old_too),
		cmocka_unit_test(what_nobody_touched_for_twice_max_age_goes_at_once),
		cmocka_unit_test(a_mark_of_a_clock_that_was_ahead_or_none_at_all_trims_nothing),
		cmocka_unit_test(a_read_lets_an_inbox_live_on_and_an_append_does_not),
		cmocka_unit_test(a_list_that_begins_again_lives_as_long_as_its_inbox),
		cmocka_unit_test(what_cannot_be_appended_is_told_once),
	};
	return cmocka_run_group_tests(tests, start_server, remove_server);
}
