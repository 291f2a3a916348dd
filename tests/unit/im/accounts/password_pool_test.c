/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "im/accounts/password_pool.h"

static void count_hash(void *arg, const char *text)
{
	(void)text;
	++*(unsigned *)arg;
}

static void count_match(void *arg, bool matches)
{
	assert_false(matches);
	++*(unsigned *)arg;
}

static void a_pool_that_is_full_refuses_and_leaves_the_slots_of_the_other(void **state)
{
	int64_t max = 2;
	unsigned done = 0;
	struct password_pool new, login;
	struct worker worker;
	(void)state;

	assert_int_equal(worker_init(&worker, "test"), OK);
	password_pool_init(&new, &worker, &max, "class=\"new\"");
	password_pool_init(&login, &worker, &max, "class=\"login\"");
	assert_int_equal(password_pool_hash(&new, STR("horse 1"), count_hash, &done), OK);
	assert_int_equal(password_pool_hash(&new, STR("horse 2"), count_hash, &done), OK);
	assert_int_equal(password_pool_hash(&new, STR("horse 3"), count_hash, &done), ERR_UNAVAILABLE);
	assert_int_equal(password_pool_match(&login, STR(""), STR("horse 4"), count_match, &done), OK);
	while (done < 3)
		uv_run(&worker.loop, UV_RUN_ONCE);
	assert_int_equal(password_pool_hash(&new, STR("horse 5"), count_hash, &done), OK);
	while (done < 4)
		uv_run(&worker.loop, UV_RUN_ONCE);
	worker_stop(&worker);
	uv_run(&worker.loop, UV_RUN_DEFAULT);
	worker_join(&worker);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pool_that_is_full_refuses_and_leaves_the_slots_of_the_other),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
