#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "libclient/machines/known.h"

#define BOUND 3
#define LOOKED_AT 8 /* of pinned conversations, by one call */

static struct known_set set;

static int set_up(void **state)
{
	(void)state;
	known_init(&set);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	known_release(&set);
	return 0;
}

static struct known *follow(const char *conversation, unsigned max)
{
	return known_follow(&set, str_from(conversation), 0, max);
}

static bool is_known(const char *conversation)
{
	return known_find(&set, str_from(conversation)) != NULL;
}

static void a_conversation_is_found_by_its_id_and_counts_as_taken_up_to_its_last_message(void **state)
{
	(void)state;
	char id[] = "g:one";

	assert_null(known_find(&set, STR("g:one")));
	struct known *known = known_follow(&set, str_from(id), 7, BOUND);
	id[0] = 'x';
	assert_ptr_equal(known_find(&set, STR("g:one")), known);
	assert_true(str_equal(known_id(known), STR("g:one")));
	assert_string_equal(known->id, "g:one");
	assert_int_equal(known->last, 7);
	assert_int_equal(known->taken, 7);
	assert_int_equal(known->pins, 0);
}

static void over_the_bound_the_conversation_without_a_message_for_longest_is_forgotten(void **state)
{
	(void)state;
	follow("g:one", BOUND);
	follow("g:two", BOUND);
	follow("g:three", BOUND);
	assert_true(is_known("g:one"));
	known_touch(&set, known_find(&set, STR("g:one")));
	follow("g:four", BOUND);
	assert_int_equal(set.by_id.len, BOUND);
	assert_false(is_known("g:two"));
	follow("g:five", BOUND);
	assert_false(is_known("g:three"));
	assert_true(is_known("g:one") && is_known("g:four") && is_known("g:five"));
}

static void a_pinned_conversation_is_not_forgotten(void **state)
{
	(void)state;
	struct known *pinned = follow("g:one", BOUND);

	pinned->pins = 1;
	follow("g:two", BOUND);
	follow("g:three", BOUND);
	follow("g:four", BOUND);
	assert_ptr_equal(known_find(&set, STR("g:one")), pinned);
	assert_false(is_known("g:two"));

	pinned->pins = 0;
	follow("g:five", BOUND);
	follow("g:six", BOUND);
	follow("g:seven", BOUND);
	assert_false(is_known("g:one"));
	assert_int_equal(set.by_id.len, BOUND);
}

static void while_many_are_pinned_the_set_exceeds_its_bound(void **state)
{
	(void)state;
	const unsigned max = LOOKED_AT + 1;
	char id[] = "g:0";

	for (unsigned i = 0; i < LOOKED_AT; i++, id[2]++)
		follow(id, max)->pins = 1;
	follow("g:loose", max);
	follow("g:more", max);
	assert_int_equal(set.by_id.len, max + 1);
	assert_true(is_known("g:loose"));
	/* The pinned ones went behind it: the next call finds it first. */
	follow("g:even_more", max);
	assert_false(is_known("g:loose"));
	assert_int_equal(set.by_id.len, max + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		CASE(a_conversation_is_found_by_its_id_and_counts_as_taken_up_to_its_last_message),
		CASE(over_the_bound_the_conversation_without_a_message_for_longest_is_forgotten),
		CASE(a_pinned_conversation_is_not_forgotten),
		CASE(while_many_are_pinned_the_set_exceeds_its_bound),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
