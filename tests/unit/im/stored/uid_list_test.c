/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "im/stored/uid_list.h"

static void a_list_is_cut_into_as_many_uids_as_are_counted(void **state)
{
	static const struct {
		const char *list;
		size_t count;
		const char *last;
	} cases[] = { { "", 0, NULL }, { "alice", 1, "alice" }, { "alice,*", 2, "*" }, { "a,b,c", 3, "c" } };
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char copy[16], *uids[3];
		assert_true(str_copy(copy, sizeof(copy), str_from(cases[i].list)));
		assert_int_equal(uid_list_count(str_from(cases[i].list)), cases[i].count);
		assert_int_equal(uid_list_split(copy, uids), cases[i].count);
		if (cases[i].last)
			assert_string_equal(uids[cases[i].count - 1], cases[i].last);
	}
	assert_int_equal(uid_list_count((struct str){ 0 }), 0);
	assert_int_equal(uid_list_split(NULL, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_list_is_cut_into_as_many_uids_as_are_counted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
