#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "libclient/machines/outbox.h"

#define MAX_ITEMS 6
#define MAX_ASKING 2

static struct outbox outbox;
static struct outbox_item items[MAX_ITEMS + 1];

static int set_up(void **state)
{
	(void)state;
	outbox_init(&outbox, MAX_ITEMS, MAX_ASKING);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	while (outbox_remove_any(&outbox))
		;
	assert_int_equal(outbox.item_count, 0);
	outbox_release(&outbox);
	return 0;
}

/* Item `index` to the user of that name. */
static void add(int index, const char *to)
{
	assert_true(outbox_add(&outbox, &items[index], str_from(to)));
}

static void expect_next(int index)
{
	assert_ptr_equal(outbox_take(&outbox), &items[index]);
}

static void sends_to_one_go_one_after_the_other(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++)
		add(i, "bob");
	for (int i = 0; i < 3; i++) {
		expect_next(i);
		assert_null(outbox_take(&outbox));
		outbox_answered(&outbox, &items[i]);
	}
	assert_null(outbox_take(&outbox));
	add(3, "bob");
	expect_next(3);
	outbox_answered(&outbox, &items[3]);
}

static void sends_to_different_ones_go_side_by_side_up_to_a_limit(void **state)
{
	(void)state;
	add(0, "bob");
	add(1, "carol");
	add(2, "dave");
	expect_next(0);
	expect_next(1);
	assert_null(outbox_take(&outbox));
	outbox_answered(&outbox, &items[1]);
	expect_next(2);
}

static void one_without_an_answer_goes_again_before_what_is_behind_it(void **state)
{
	(void)state;
	add(0, "bob");
	add(1, "bob");
	add(2, "carol");
	expect_next(0);
	outbox_failed(&outbox, &items[0]);
	assert_null(outbox_take(&outbox)); /* nothing goes out for a while */
	outbox_resume(&outbox);
	expect_next(0);
	outbox_answered(&outbox, &items[0]);
	expect_next(2); /* in turn */
	expect_next(1);
}

static void one_that_takes_long_does_not_stop_others_and_nobody_is_forgotten(void **state)
{
	(void)state;
	add(0, "bob");
	add(1, "carol");
	add(2, "carol");
	add(3, "dave");
	expect_next(0); /* stays */
	expect_next(1);
	outbox_answered(&outbox, &items[1]);
	expect_next(3);
	outbox_answered(&outbox, &items[3]);
	expect_next(2);
}

static void a_full_one_takes_no_more_until_something_is_answered(void **state)
{
	(void)state;
	for (int i = 0; i < MAX_ITEMS; i++)
		add(i, "bob");
	assert_false(outbox_add(&outbox, &items[MAX_ITEMS], STR("carol")));
	expect_next(0);
	outbox_answered(&outbox, &items[0]);
	add(MAX_ITEMS, "carol");
}

static void at_the_end_each_comes_back_asking_or_not(void **state)
{
	unsigned count = 0;

	(void)state;
	add(0, "bob");
	add(1, "bob");
	add(2, "carol");
	expect_next(0);
	while (outbox_remove_any(&outbox))
		count++;
	assert_int_equal(count, 3);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(sends_to_one_go_one_after_the_other),
		CASE(sends_to_different_ones_go_side_by_side_up_to_a_limit),
		CASE(one_without_an_answer_goes_again_before_what_is_behind_it),
		CASE(one_that_takes_long_does_not_stop_others_and_nobody_is_forgotten),
		CASE(a_full_one_takes_no_more_until_something_is_answered),
		CASE(at_the_end_each_comes_back_asking_or_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
