#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/macros.h"
#include "base/mem.h"
#include "deliver/missed_offsets.h"

static void add(struct missed_offsets *missed, uint64_t conn, uint64_t epoch, uint64_t offset)
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
	missed_offsets_add(missed, &audience);
}

static void assert_only(struct missed_offsets *missed, uint64_t conn, uint64_t epoch, uint64_t offset)
{
	Skein__V1__Connections targets = SKEIN__V1__CONNECTIONS__INIT;

	missed_offsets_take(missed, 10, &targets);
	assert_int_equal(targets.n_conns, 1);
	assert_int_equal(targets.n_epochs, 1);
	assert_int_equal(targets.n_offsets, 1);
	assert_int_equal(targets.conns[0], conn);
	assert_int_equal(targets.epochs[0], epoch);
	assert_int_equal(targets.offsets[0], offset);
	mem_free(targets.conns);
	assert_int_equal(missed->count, 0);
}

static void the_highest_offset_of_a_connection_is_kept(void **state)
{
	struct missed_offsets missed;
	(void)state;

	missed_offsets_init(&missed);
	add(&missed, 7, 1, 5);
	add(&missed, 7, 1, 9);
	add(&missed, 7, 1, 8);
	assert_only(&missed, 7, 1, 9);
	missed_offsets_release(&missed);
}

static void an_offset_of_a_new_epoch_replaces_a_higher_one(void **state)
{
	struct missed_offsets missed;
	(void)state;

	missed_offsets_init(&missed);
	add(&missed, 7, 1, 900);
	add(&missed, 7, 2, 3);
	assert_only(&missed, 7, 2, 3);
	missed_offsets_release(&missed);
}

static void each_connection_is_taken_once_in_portions_of_any_size(void **state)
{
	struct missed_offsets missed;
	bool is_taken[100] = { 0 };
	(void)state;

	missed_offsets_init(&missed);
	missed_offsets_add(&missed, NULL);
	for (uint64_t conn = 0; conn < ARRAY_LEN(is_taken); conn++)
		add(&missed, conn, 1, conn + 1);
	while (missed.count) {
		Skein__V1__Connections targets = SKEIN__V1__CONNECTIONS__INIT;

		missed_offsets_take(&missed, 7, &targets);
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
	missed_offsets_release(&missed);
}

static void an_audience_without_offsets_notes_nothing(void **state)
{
	struct missed_offsets missed;
	uint64_t conn = 7;
	Skein__V1__Connections one = SKEIN__V1__CONNECTIONS__INIT;
	Skein__V1__Targets targets = SKEIN__V1__TARGETS__INIT;
	Skein__V1__Audience audience = SKEIN__V1__AUDIENCE__INIT;
	(void)state;

	missed_offsets_init(&missed);
	one.conns = &conn;
	one.n_conns = 1;
	targets.own = &one;
	audience.who_case = SKEIN__V1__AUDIENCE__WHO_TARGETS;
	audience.targets = &targets;
	missed_offsets_add(&missed, &audience);
	audience.who_case = SKEIN__V1__AUDIENCE__WHO_ROOM;
	audience.room = "lobby";
	missed_offsets_add(&missed, &audience);
	assert_int_equal(missed.count, 0);
	missed_offsets_release(&missed);
}

static void releasing_frees_the_rest(void **state)
{
	struct missed_offsets missed;
	(void)state;

	missed_offsets_init(&missed);
	add(&missed, 1, 1, 1);
	add(&missed, 2, 1, 1);
	missed_offsets_release(&missed);
}

static void over_the_limit_of_connections_nothing_is_noted(void **state)
{
	struct missed_offsets missed;
	(void)state;

	missed_offsets_init(&missed);
	for (uint64_t conn = 0; conn < MISSED_OFFSETS_MAX + 10; conn++)
		add(&missed, conn, 1, 1);
	assert_int_equal(missed.count, MISSED_OFFSETS_MAX);
	missed_offsets_release(&missed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_highest_offset_of_a_connection_is_kept),
		cmocka_unit_test(an_offset_of_a_new_epoch_replaces_a_higher_one),
		cmocka_unit_test(each_connection_is_taken_once_in_portions_of_any_size),
		cmocka_unit_test(an_audience_without_offsets_notes_nothing),
		cmocka_unit_test(releasing_frees_the_rest),
		cmocka_unit_test(over_the_limit_of_connections_nothing_is_noted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
