/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "gateway/queues/pulled.h"

static void assert_taken(struct pulled *pulled, uint64_t offset, uint64_t after, uint64_t up_to)
{
	struct pulled part;

	assert_true(pulled_take(pulled, 7, offset, &part));
	assert_int_equal(part.epoch, 7);
	assert_int_equal(part.after, after);
	assert_int_equal(part.up_to, up_to);
}

static void assert_nothing(struct pulled *pulled, uint64_t epoch, uint64_t offset)
{
	struct pulled part;

	assert_false(pulled_take(pulled, epoch, offset, &part));
}

static void each_number_is_taken_once(void **state)
{
	struct pulled pulled = { 0 };
	(void)state;

	assert_nothing(&pulled, 7, 100);
	pulled_add(&pulled, 7, 0, 30);
	assert_nothing(&pulled, 7, 0);
	assert_taken(&pulled, 10, 0, 10);
	assert_nothing(&pulled, 7, 10);
	assert_nothing(&pulled, 7, 5);
	assert_taken(&pulled, 100, 10, 30);
	assert_nothing(&pulled, 7, 100);
}

static void a_later_range_is_merged_with_what_is_left(void **state)
{
	struct pulled pulled = { 0 };
	(void)state;

	pulled_add(&pulled, 7, 20, 30);
	pulled_add(&pulled, 7, 40, 40);
	assert_taken(&pulled, 25, 20, 25);
	pulled_add(&pulled, 7, 40, 50);
	assert_taken(&pulled, 45, 25, 45);
	pulled_add(&pulled, 7, 30, 48);
	assert_taken(&pulled, 60, 30, 50);
	pulled_add(&pulled, 7, 70, 80); /* nothing was left: what lies between is not its own */
	assert_taken(&pulled, 80, 70, 80);
}

static void another_epoch_replaces_what_was_left(void **state)
{
	struct pulled pulled = { 0 };
	(void)state;

	pulled_add(&pulled, 6, 0, 100);
	pulled_add(&pulled, 7, 3, 5);
	assert_taken(&pulled, 50, 3, 5);
	pulled_add(&pulled, 7, 5, 9);
	assert_nothing(&pulled, 8, 9);
	assert_nothing(&pulled, 7, 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_number_is_taken_once),
		cmocka_unit_test(a_later_range_is_merged_with_what_is_left),
		cmocka_unit_test(another_epoch_replaces_what_was_left),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
