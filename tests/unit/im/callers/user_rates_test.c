/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "im/callers/user_rates.h"

#define NOW 5000

static void each_user_has_a_bucket_of_its_own(void **state)
{
	struct user_lru rates;
	uint64_t wait_ms = 0;
	(void)state;

	user_rates_init(&rates);
	for (int i = 0; i < 3; i++)
		assert_true(user_rates_take(&rates, STR("alice"), 2, 3, NOW, &wait_ms));
	assert_false(user_rates_take(&rates, STR("alice"), 2, 3, NOW, &wait_ms));
	assert_int_equal(wait_ms, 500);
	assert_true(user_rates_take(&rates, STR("bob"), 2, 3, NOW, &wait_ms));
	assert_true(user_rates_take(&rates, STR("alice"), 2, 3, NOW + 500, &wait_ms));
	user_lru_release(&rates);
}

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
		cmocka_unit_test(each_user_has_a_bucket_of_its_own),
		cmocka_unit_test(the_least_recently_used_user_makes_room),
		cmocka_unit_test(no_more_are_kept_than_allowed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
