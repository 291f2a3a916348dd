/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "base/users/user_lru.h"

static void the_least_recently_used_user_makes_room(void **state)
{
	struct user_lru recent;
	(void)state;

	user_lru_init(&recent, 3, sizeof(struct user_lru_entry));
	user_lru_make(&recent, STR("a"));
	user_lru_make(&recent, STR("b"));
	user_lru_make(&recent, STR("c"));
	assert_non_null(user_lru_find(&recent, STR("a")));
	user_lru_make(&recent, STR("d"));
	assert_null(user_lru_find(&recent, STR("b")));
	assert_non_null(user_lru_find(&recent, STR("a")));
	assert_non_null(user_lru_find(&recent, STR("c")));
	struct user_lru_entry *entry = user_lru_find(&recent, STR("d"));
	assert_ptr_equal(user_lru_make(&recent, STR("d")), entry);
	user_lru_release(&recent);
}

static void no_more_are_kept_than_allowed(void **state)
{
	struct user_lru recent;
	(void)state;

	user_lru_init(&recent, 100, sizeof(struct user_lru_entry));
	for (int i = 0; i < 1000; i++) {
		char uid[16];
		int len = snprintf(uid, sizeof(uid), "user%d", i);
		user_lru_make(&recent, str_of(uid, (size_t)len));
		assert_in_range(recent.users.len, 1, 100);
	}
	assert_non_null(user_lru_find(&recent, STR("user999")));
	assert_non_null(user_lru_find(&recent, STR("user900")));
	assert_null(user_lru_find(&recent, STR("user899")));
	user_lru_release(&recent);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_least_recently_used_user_makes_room),
		cmocka_unit_test(no_more_are_kept_than_allowed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
