/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "im/takeover/id_walk.h"

#define MS (1ull << 22)
#define DAY_MS (24ull * 3600 * 1000)
#define PAGE 4

/* Ids in rising order, as a table would hold them. */
struct table {
	uint64_t ids[4096];
	unsigned count;
};

/* Walks from `after` to the last id; returns the number of pages. Every id above `after` has to come once, in order. */
static unsigned walk_through(const struct table *table, uint64_t after)
{
	struct id_walk walk;
	unsigned pages = 0, at = 0;

	while (at < table->count && table->ids[at] <= after)
		at++;
	id_walk_start(&walk, after, table->count ? table->ids[table->count - 1] : 0);
	for (; !id_walk_is_over(&walk); pages++) {
		uint64_t upto = id_walk_upto(&walk);
		unsigned taken = 0;
		assert_true(upto > walk.after);
		while (at < table->count && table->ids[at] <= upto && taken < PAGE) {
			assert_true(table->ids[at] > walk.after);
			taken++;
			at++;
		}
		if (at < table->count && table->ids[at] <= upto)
			id_walk_take_full(&walk, table->ids[at - 1]);
		else
			id_walk_take_whole(&walk);
	}
	assert_int_equal(at, table->count);
	return pages;
}

static void every_small_set_of_ids_is_visited_once_in_order_from_any_start(void **state)
{
	/* Closer than a span, as far as one, and much further. */
	static const uint64_t gaps[] = { 1, MS, 200 * MS, DAY_MS * MS };
	(void)state;

	for (unsigned choice = 0; choice < 4 * 4 * 4 * 4 * 4 * 4; choice++) {
		struct table table = { 0 };
		uint64_t id = 1000;
		for (unsigned i = 0, rest = choice; i < 6; i++, rest /= 4) {
			id += gaps[rest % 4];
			table.ids[table.count++] = id;
		}
		walk_through(&table, 0);
		for (unsigned i = 0; i < table.count; i++)
			walk_through(&table, table.ids[i]);
	}
}

static void nothing_above_the_watermark_is_over_at_once(void **state)
{
	struct id_walk walk;
	(void)state;

	id_walk_start(&walk, 1000, 0);
	assert_true(id_walk_is_over(&walk));
	id_walk_start(&walk, 1000, 1000);
	assert_true(id_walk_is_over(&walk));
}

static void a_gap_of_years_takes_a_few_pages(void **state)
{
	struct table table = { .ids = { 1, 40 * 365 * DAY_MS * MS }, .count = 2 };
	(void)state;

	assert_in_range(walk_through(&table, 0), 2, 40);
}

static void a_dense_second_takes_little_more_pages_than_it_fills(void **state)
{
	struct table table = { .count = 4096 };
	(void)state;

	for (unsigned i = 0; i < table.count; i++)
		table.ids[i] = 5000 * MS + i * MS / 4;
	assert_in_range(walk_through(&table, 0), table.count / PAGE, table.count / PAGE * 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_small_set_of_ids_is_visited_once_in_order_from_any_start),
		cmocka_unit_test(nothing_above_the_watermark_is_over_at_once),
		cmocka_unit_test(a_gap_of_years_takes_a_few_pages),
		cmocka_unit_test(a_dense_second_takes_little_more_pages_than_it_fills),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
