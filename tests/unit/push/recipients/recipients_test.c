#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/macros.h"
#include "push/recipients/recipients.h"

static void assert_are(const struct recipients *recipients, const char *const *uids, size_t count)
{
	assert_int_equal(recipients->count, count);
	for (size_t i = 0; i < count; i++)
		assert_true(str_equal(recipients->uids[i], str_from(uids[i])));
}

static struct recipients *make_crew(void)
{
	const struct str uids[] = { STR("carol"), STR("alice"), STR("eve") };

	return recipients_new(uids, ARRAY_LEN(uids));
}

static struct recipients *change(const struct recipients *before, char **joined, size_t joined_count, char **left,
                                 size_t left_count)
{
	Skein__V1__MembershipDelta delta = SKEIN__V1__MEMBERSHIP_DELTA__INIT;

	delta.joined = joined;
	delta.n_joined = joined_count;
	delta.left = left;
	delta.n_left = left_count;
	return recipients_changed(before, &delta);
}

static void a_list_is_in_the_order_of_bytes_and_has_each_uid_once(void **state)
{
	const struct str uids[] = { STR("b"), STR("ab"), STR("a"), STR("B"), STR("b"), STR("a") };
	const char *const sorted[] = { "B", "a", "ab", "b" };
	(void)state;
	struct recipients *recipients = recipients_new(uids, ARRAY_LEN(uids));

	assert_are(recipients, sorted, ARRAY_LEN(sorted));
	assert_true(recipients_have(recipients, STR("ab")));
	assert_false(recipients_have(recipients, STR("abc")));
	recipients_unref(recipients);
}

static void an_empty_list_has_no_uid(void **state)
{
	(void)state;
	struct recipients *nobody = recipients_new(NULL, 0);

	assert_int_equal(nobody->count, 0);
	assert_false(recipients_have(nobody, STR("alice")));
	recipients_unref(nobody);
}

static void a_conversation_with_oneself_has_one_recipient(void **state)
{
	struct conversation two, one;
	const char *const both[] = { "alice", "bob" };
	(void)state;

	assert_true(conversation_parse(STR("u:alice:bob"), &two));
	assert_true(conversation_parse(STR("u:alice:alice"), &one));
	struct recipients *of_two = recipients_of_direct(&two), *of_one = recipients_of_direct(&one);
	assert_are(of_two, both, 2);
	assert_are(of_one, both, 1);
	recipients_unref(of_two);
	recipients_unref(of_one);
}

static void a_change_makes_a_new_list_and_leaves_the_old_one_unchanged(void **state)
{
	char *joined[] = { "zoe", "bob", "dave" }, *left[] = { "eve", "alice" };
	const char *const before[] = { "alice", "carol", "eve" }, *const after[] = { "bob", "carol", "dave", "zoe" };
	(void)state;
	struct recipients *crew = make_crew(), *changed = change(crew, joined, 3, left, 2);

	assert_non_null(changed);
	assert_are(changed, after, ARRAY_LEN(after));
	assert_are(crew, before, ARRAY_LEN(before));
	recipients_unref(changed);
	recipients_unref(crew);
}

static void everybody_may_leave_and_come_back(void **state)
{
	char *all[] = { "carol", "eve", "alice" };
	const char *const sorted[] = { "alice", "carol", "eve" };
	(void)state;
	struct recipients *crew = make_crew(), *nobody = change(crew, NULL, 0, all, 3), *again = change(nobody, all, 3, NULL, 0);

	assert_int_equal(nobody->count, 0);
	assert_are(again, sorted, ARRAY_LEN(sorted));
	recipients_unref(crew);
	recipients_unref(nobody);
	recipients_unref(again);
}

static void a_change_of_another_list_does_not_fit(void **state)
{
	char *member[] = { "carol" }, *stranger[] = { "bob" };
	(void)state;
	struct recipients *crew = make_crew();

	assert_null(change(crew, member, 1, NULL, 0));
	assert_null(change(crew, NULL, 0, stranger, 1));
	assert_null(change(crew, stranger, 1, stranger, 1));
	recipients_unref(crew);
}

static void a_change_with_a_repeated_or_invalid_uid_does_not_fit(void **state)
{
	char *repeat[] = { "bob", "bob" }, *twice[] = { "eve", "eve" }, *blank[] = { "a b" }, *empty[] = { "" };
	(void)state;
	struct recipients *crew = make_crew();

	assert_null(change(crew, repeat, 2, NULL, 0));
	assert_null(change(crew, NULL, 0, twice, 2));
	assert_null(change(crew, blank, 1, NULL, 0));
	assert_null(change(crew, NULL, 0, empty, 1));
	recipients_unref(crew);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_list_is_in_the_order_of_bytes_and_has_each_uid_once),
		cmocka_unit_test(an_empty_list_has_no_uid),
		cmocka_unit_test(a_conversation_with_oneself_has_one_recipient),
		cmocka_unit_test(a_change_makes_a_new_list_and_leaves_the_old_one_unchanged),
		cmocka_unit_test(everybody_may_leave_and_come_back),
		cmocka_unit_test(a_change_of_another_list_does_not_fit),
		cmocka_unit_test(a_change_with_a_repeated_or_invalid_uid_does_not_fit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
