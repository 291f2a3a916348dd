/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "cluster/rate_bucket.h"
#include "redis_fixture.h"

static const struct rate_bucket_limit slow = { 0.01, 10 };

struct taking {
	struct redis_fixture *fixture;
	err_t err;
	struct rate_bucket_state state;
};

static void on_taken(void *arg, err_t err, const struct rate_bucket_state *state)
{
	struct taking *taking = arg;

	taking->err = err;
	if (state)
		taking->state = *state;
	taking->fixture->ended++;
}

static struct rate_bucket_state take(struct redis_fixture *f, const char *key, const struct rate_bucket_limit *limit, int64_t count,
                                     enum rate_bucket_mode mode)
{
	struct taking taking = { .fixture = f };

	f->given++;
	rate_bucket_take(f->redis, STR("test"), str_from(key), limit, count, mode, on_taken, &taking);
	redis_fixture_turn(f);
	assert_int_equal(taking.err, OK);
	return taking.state;
}

static void a_bucket_gives_what_it_has_and_then_tells_the_wait(void **state)
{
	struct redis_fixture f;
	(void)state;

	redis_fixture_open_empty(&f, 100);
	for (int left = 9; left >= 0; left--) {
		struct rate_bucket_state got = take(&f, "alice", &slow, 1, RATE_BUCKET_IF_THERE);
		assert_true(got.is_taken);
		assert_int_equal(got.left, left);
		assert_true(left ? got.wait_ms == 0 : got.wait_ms > 90000 && got.wait_ms <= 100000);
	}
	struct rate_bucket_state got = take(&f, "alice", &slow, 1, RATE_BUCKET_IF_THERE);
	assert_true(!got.is_taken && got.wait_ms > 90000 && got.wait_ms <= 100000);
	assert_true(take(&f, "bob", &slow, 1, RATE_BUCKET_IF_THERE).is_taken);
	got = take(&f, "alice", &slow, -1, RATE_BUCKET_OWED);
	assert_int_equal(got.left, 1);
	assert_true(take(&f, "alice", &slow, 1, RATE_BUCKET_IF_THERE).is_taken);
	assert_false(take(&f, "alice", &slow, 1, RATE_BUCKET_IF_THERE).is_taken);
	redis_fixture_close(&f);
}

static void all_of_the_tokens_are_taken_or_none(void **state)
{
	struct redis_fixture f;
	(void)state;

	redis_fixture_open_empty(&f, 100);
	assert_true(take(&f, "alice", &slow, 7, RATE_BUCKET_IF_THERE).is_taken);
	assert_false(take(&f, "alice", &slow, 4, RATE_BUCKET_IF_THERE).is_taken);
	assert_true(take(&f, "alice", &slow, 3, RATE_BUCKET_IF_THERE).is_taken);
	redis_fixture_close(&f);
}

static void what_was_used_before_is_taken_in_any_case_and_waited_for(void **state)
{
	const struct rate_bucket_limit fast = { 10, 10 };
	struct redis_fixture f;
	(void)state;

	redis_fixture_open_empty(&f, 100);
	struct rate_bucket_state got = take(&f, "alice", &fast, 14, RATE_BUCKET_OWED);
	assert_true(got.is_taken);
	assert_in_range(got.wait_ms, 490, 500);
	uint64_t since = clock_mono_ms();
	while (!take(&f, "alice", &fast, 1, RATE_BUCKET_IF_THERE).is_taken)
		assert_true(clock_mono_ms() < since + 30000);
	assert_true(clock_mono_ms() >= since + 450);
	redis_fixture_close(&f);
}

static void a_full_bucket_is_no_key(void **state)
{
	const struct rate_bucket_limit fast = { 1000, 10 };
	struct redis_fixture f;
	(void)state;

	redis_fixture_open_empty(&f, 100);
	assert_true(take(&f, "alice", &slow, 1, RATE_BUCKET_IF_THERE).is_taken);
	assert_int_equal(redis_fixture_number(&f, "EXISTS", "im:rate:test:{alice}"), 1);
	assert_in_range(redis_fixture_number(&f, "PTTL", "im:rate:test:{alice}"), 90000, 100000);
	assert_int_equal(take(&f, "alice", &slow, -3, RATE_BUCKET_OWED).left, 10);
	assert_int_equal(redis_fixture_number(&f, "EXISTS", "im:rate:test:{alice}"), 0);
	assert_true(take(&f, "bob", &fast, 10, RATE_BUCKET_IF_THERE).is_taken);
	uint64_t since = clock_mono_ms();
	while (redis_fixture_number(&f, "EXISTS", "im:rate:test:{bob}"))
		assert_true(clock_mono_ms() < since + 30000);
	redis_fixture_close(&f);
}

static void a_clock_that_was_set_back_refills_nothing_and_locks_nobody_out(void **state)
{
	struct redis_fixture f;
	(void)state;

	redis_fixture_open_empty(&f, 100);
	redis_fixture_run(&f, "SET", "im:rate:test:{alice}", "10.000000 99999999999999", NULL);
	struct rate_bucket_state got = take(&f, "alice", &slow, 1, RATE_BUCKET_IF_THERE);
	assert_true(!got.is_taken && got.wait_ms > 90000 && got.wait_ms <= 100000);
	assert_int_equal(take(&f, "alice", &slow, -2, RATE_BUCKET_OWED).left, 2);
	redis_fixture_run(&f, "SET", "im:rate:test:{alice}", "no bucket", NULL);
	assert_int_equal(take(&f, "alice", &slow, 1, RATE_BUCKET_IF_THERE).left, 9);
	redis_fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bucket_gives_what_it_has_and_then_tells_the_wait),
		cmocka_unit_test(all_of_the_tokens_are_taken_or_none),
		cmocka_unit_test(what_was_used_before_is_taken_in_any_case_and_waited_for),
		cmocka_unit_test(a_full_bucket_is_no_key),
		cmocka_unit_test(a_clock_that_was_set_back_refills_nothing_and_locks_nobody_out),
	};
	return cmocka_run_group_tests(tests, redis_fixture_make_server, redis_fixture_remove_server);
}
