#include "store_inbox_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

const struct inbox_limits inbox_limits = { .max_entries = 100, .max_age_s = 500, .expire_s = 1000 };

void note_appended(void *arg, err_t err, const struct inbox_appended *appended)
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
	append->known = appended->known;
	append->inbox_was_broken = appended->inbox_was_broken;
	append->routes_were_broken = appended->routes_were_broken;
	append->routes_are_known = !appended->routes;
	if (append->routes_are_known)
		return;
	append->route_count = appended->routes->elements / 2;
	if (append->route_count)
		assert_true(str_copy(append->first_route, sizeof(append->first_route),
		                     redis_reply_str(appended->routes->element[1])));
}

void append(struct redis_fixture *f, struct append *append, struct str entry)
{
	append->fixture = f;
	f->given++;
	inbox_append(f->redis, &inbox_limits, UID, NULL, &entry, 1, note_appended, append);
}

struct append append_now(struct redis_fixture *f, struct str entry)
{
	struct append one = { .fixture = NULL };

	append(f, &one, entry);
	redis_fixture_turn(f);
	assert_int_equal(one.err, OK);
	assert_true(one.epoch != 0);
	return one;
}

uint64_t append_numbers(struct redis_fixture *f, int first, int last)
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

void shift(struct redis_fixture *f, const char *field, const char *seconds)
{
	redis_fixture_run(f, "HINCRBY", META, field, seconds, NULL);
}

void expire_in(struct redis_fixture *f, const char *seconds)
{
	redis_fixture_run(f, "EXPIRE", INBOX, seconds, NULL);
	redis_fixture_run(f, "EXPIRE", META, seconds, NULL);
}

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

struct read read_now(struct redis_fixture *f, const struct inbox_position *position, unsigned limit)
{
	struct read read = { .fixture = f };

	f->given++;
	inbox_read(f->redis, &inbox_limits, UID, position, limit, on_read, &read);
	redis_fixture_turn(f);
	assert_int_equal(read.err, OK);
	assert_true(read.page.epoch != 0);
	return read;
}

struct read read_from(struct redis_fixture *f, uint64_t epoch, uint64_t offset, unsigned limit)
{
	const struct inbox_position position = { .epoch = epoch, .offset = offset };

	return read_now(f, &position, limit);
}

void check_entries(const struct read *read, uint64_t after, size_t count)
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

void check_verdict(struct redis_fixture *f, uint64_t epoch, uint64_t offset, enum inbox_verdict verdict)
{
	struct read read = read_from(f, epoch, offset, 10);

	assert_int_equal(read.page.verdict, verdict);
	if (verdict == INBOX_ENTRIES)
		return;
	assert_int_equal(read.page.after, read.page.head);
	assert_int_equal(read.page.count, 0);
}
