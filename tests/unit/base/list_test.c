/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/list.h"

struct item {
	int number;
	struct list link;
};

static int numbers_of(struct list *head)
{
	int digits = 0;

	list_for_each(link, head)
		digits = digits * 10 + container_of(link, struct item, link)->number;
	return digits;
}

static void both_ends_take_and_the_front_gives(void **state)
{
	struct item items[3] = { { .number = 1 }, { .number = 2 }, { .number = 3 } };
	struct list head;
	(void)state;

	list_init(&head);
	assert_true(list_is_empty(&head));
	assert_null(list_pop_front(&head));
	list_push_back(&head, &items[1].link);
	list_push_back(&head, &items[2].link);
	list_push_front(&head, &items[0].link);
	assert_int_equal(numbers_of(&head), 123);
	assert_ptr_equal(list_pop_front(&head), &items[0].link);
	assert_true(list_is_empty(&items[0].link));
	assert_int_equal(numbers_of(&head), 23);
}

static void removing_twice_is_safe(void **state)
{
	struct item items[2] = { { .number = 1 }, { .number = 2 } };
	struct list head;
	(void)state;

	list_init(&head);
	list_push_back(&head, &items[0].link);
	list_push_back(&head, &items[1].link);
	list_remove(&items[0].link);
	list_remove(&items[0].link);
	assert_int_equal(numbers_of(&head), 2);
}

static void the_body_of_a_loop_may_remove_its_link(void **state)
{
	struct item items[5];
	struct list head;
	(void)state;

	list_init(&head);
	for (int i = 0; i < 5; i++) {
		items[i].number = i + 1;
		list_push_back(&head, &items[i].link);
	}
	list_for_each(link, &head)
		if (container_of(link, struct item, link)->number % 2)
			list_remove(link);
	assert_int_equal(numbers_of(&head), 24);
}

static void splicing_moves_all_in_order(void **state)
{
	struct item items[4] = { { .number = 1 }, { .number = 2 }, { .number = 3 }, { .number = 4 } };
	struct list to, from;
	(void)state;

	list_init(&to);
	list_init(&from);
	list_splice_back(&to, &from);
	assert_true(list_is_empty(&to));
	list_push_back(&to, &items[0].link);
	list_push_back(&to, &items[1].link);
	list_push_back(&from, &items[2].link);
	list_push_back(&from, &items[3].link);
	list_splice_back(&to, &from);
	assert_true(list_is_empty(&from));
	assert_int_equal(numbers_of(&to), 1234);
	list_splice_back(&from, &to);
	assert_int_equal(numbers_of(&from), 1234);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_ends_take_and_the_front_gives),
		cmocka_unit_test(removing_twice_is_safe),
		cmocka_unit_test(the_body_of_a_loop_may_remove_its_link),
		cmocka_unit_test(splicing_moves_all_in_order),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
