#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "redis_fixture.h"
#include "cluster/push_load.h"

static struct real_server server = { .kind = REAL_REDIS };

static void the_longest_wait_counts_until_it_is_old(void **state)
{
	struct redis_fixture f;
	(void)state;

	redis_fixture_open(&f, &server, 100);
	redis_fixture_await_up(&f);
	assert_int_equal(redis_fixture_number(&f, "DEL", "im:push:load"), 0);
	assert_int_equal(redis_fixture_push_load(&f), 0);
	push_load_write(f.redis, STR("push-1"), 4000);
	uint64_t since = clock_mono_ms();
	while (redis_fixture_push_load(&f) != 4000) /* a new script runs after commands that were given later */
		assert_true(clock_mono_ms() < since + 30 * PUSH_LOAD_LIFE_MS);
	since = clock_mono_ms();
	push_load_write(f.redis, STR("push-2"), 300);
	push_load_write(f.redis, STR("push-1"), 700);
	unsigned wait_ms = redis_fixture_push_load(&f);
	assert_true(wait_ms == 700 || clock_mono_ms() > since + PUSH_LOAD_LIFE_MS); /* the machine was frozen */
	while (redis_fixture_push_load(&f))
		assert_true(clock_mono_ms() < since + 30 * PUSH_LOAD_LIFE_MS);
	assert_true(clock_mono_ms() >= since + PUSH_LOAD_LIFE_MS - 50);
	redis_fixture_close(&f);
}

static int start_server(void **state)
{
	(void)state;
	real_server_make(&server);
	return 0;
}

static int remove_server(void **state)
{
	(void)state;
	real_server_remove(&server);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_longest_wait_counts_until_it_is_old),
	};
	return cmocka_run_group_tests(tests, start_server, remove_server);
}
