#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/macros.h"
#include "base/mem.h"
#include "deliver/notes.h"

static void add(struct notes *notes, uint64_t conn, uint64_t epoch, uint64_t offset)
{
	Skein__V1__Connections one = SKEIN__V1__CONNECTIONS__INIT;
	Skein__V1__Targets targets = SKEIN__V1__TARGETS__INIT;
	Skein__V1__Audience audience = SKEIN__V1__AUDIENCE__INIT;

	one.conns = &conn;
	one.epochs = &epoch;
	one.offsets = &offset;
	one.n_conns = one.n_epochs = one.n_offsets = 1;
	targets.others = &one;
	audience.who_case = SKEIN__V1__AUDIENCE__WHO_TARGETS;
	audience.targets = &targets;
	notes_add(notes, &audience);
}

static void assert_only(struct notes *notes, uint64_t conn, uint64_t epoch, uint64_t offset)
{
	Skein__V1__Connections targets = SKEIN__V1__CONNECTIONS__INIT;

	notes_take(notes, 10, &targets);
	assert_int_equal(targets.n_conns, 1);
	assert_int_equal(targets.n_epochs, 1);
	assert_int_equal(targets.n_offsets, 1);
	assert_int_equal(targets.conns[0], conn);
	assert_int_equal(targets.epochs[0], epoch);
	assert_int_equal(targets.offsets[0], offset);
	mem_free(targets.conns);
	assert_int_equal(notes->count, 0);
}

static void of_a_connection_the_highest_number_is_kept(void **state)
{
	struct notes notes;
	(void)state;

	notes_init(&notes);
	add(&notes, 7, 1, 5);
	add(&notes, 7, 1, 9);
	add(&notes, 7, 1, 8);
	assert_only(&notes, 7, 1, 9);
	notes_release(&notes);
}

static void an_inbox_that_was_made_anew_begins_anew(void **state)
{
	struct notes notes;
	(void)state;

	notes_init(&notes);
	add(&notes, 7, 1, 900);
	add(&notes, 7, 2, 3);
	assert_only(&notes, 7, 2, 3);
	notes_release(&notes);
}

static void each_connection_is_taken_once_however_many_at_a_time(void **state)
{
	struct notes notes;
	bool is_taken[100] = { 0 };
	(void)state;

	notes_init(&notes);
	notes_add(&notes, NULL);
	for (uint64_t conn = 0; conn < ARRAY_LEN(is_taken); conn++)
		add(&notes, conn, 1, conn + 1);
	while (notes.count) {
		Skein__V1__Connections targets = SKEIN__V1__CONNECTIONS__INIT;

		notes_take(&notes, 7, &targets);
		assert_in_range(targets.n_conns, 1, 7);
		for (size_t i = 0; i < targets.n_conns; i++) {
			assert_false(is_taken[targets.conns[i]]);
			assert_int_equal(targets.offsets[i], targets.conns[i] + 1);
			is_taken[targets.conns[i]] = true;
		}
		mem_free(targets.conns);
	}
	for (size_t i = 0; i < ARRAY_LEN(is_taken); i++)
		assert_true(is_taken[i]);
	notes_release(&notes);
}

static void of_an_audience_without_numbers_nothing_is_noted(void **state)
{
	struct notes notes;
	uint64_t conn = 7;
	Skein__V1__Connections one = SKEIN__V1__CONNECTIONS__INIT;
	Skein__V1__Targets targets = SKEIN__V1__TARGETS__INIT;
	Skein__V1__Audience audience = SKEIN__V1__AUDIENCE__INIT;
	(void)state;

	notes_init(&notes);
	one.conns = &conn;
	one.n_conns = 1;
	targets.own = &one;
	audience.who_case = SKEIN__V1__AUDIENCE__WHO_TARGETS;
	audience.targets = &targets;
	notes_add(&notes, &audience);
	audience.who_case = SKEIN__V1__AUDIENCE__WHO_ROOM;
	audience.room = "lobby";
	notes_add(&notes, &audience);
	assert_int_equal(notes.count, 0);
	notes_release(&notes);
}

static void what_is_not_taken_is_freed(void **state)
{
	struct notes notes;
	(void)state;

	notes_init(&notes);
	add(&notes, 1, 1, 1);
	add(&notes, 2, 1, 1);
	notes_release(&notes);
}

static void of_more_connections_than_a_gateway_holds_nothing_is_kept(void **state)
{
	struct notes notes;
	(void)state;

	notes_init(&notes);
	for (uint64_t conn = 0; conn < NOTES_MAX + 10; conn++)
		add(&notes, conn, 1, 1);
	assert_int_equal(notes.count, NOTES_MAX);
	notes_release(&notes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_a_connection_the_highest_number_is_kept),
		cmocka_unit_test(an_inbox_that_was_made_anew_begins_anew),
		cmocka_unit_test(each_connection_is_taken_once_however_many_at_a_time),
		cmocka_unit_test(of_an_audience_without_numbers_nothing_is_noted),
		cmocka_unit_test(what_is_not_taken_is_freed),
		cmocka_unit_test(of_more_connections_than_a_gateway_holds_nothing_is_kept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
