/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/macros.h"
#include "base/rate_limit.h"

#define NOW_MS 5000000

static int take_all(struct rate_limit *bucket, double per_second, double burst, uint64_t now_ms)
{
	int taken = 0;

	while (taken < 100000 && rate_limit_take(bucket, per_second, burst, now_ms))
		taken++;
	return taken;
}

static void a_new_bucket_gives_the_burst_and_no_more(void **state)
{
	struct rate_limit bucket = { 0 };
	(void)state;

	assert_int_equal(take_all(&bucket, 10, 5, NOW_MS), 5);
	assert_int_equal(take_all(&bucket, 10, 5, NOW_MS), 0);
}

static void it_fills_up_at_the_rate_and_not_over_the_burst(void **state)
{
	struct rate_limit bucket = { 0 };
	(void)state;

	take_all(&bucket, 10, 5, NOW_MS);
	assert_int_equal(take_all(&bucket, 10, 5, NOW_MS + 99), 0);
	assert_int_equal(take_all(&bucket, 10, 5, NOW_MS + 100), 1);
	assert_int_equal(take_all(&bucket, 10, 5, NOW_MS + 400), 3);
	assert_int_equal(take_all(&bucket, 10, 5, NOW_MS + 100000), 5);
}

static void over_a_long_time_the_rate_is_kept(void **state)
{
	struct rate_limit bucket = { 0 };
	int taken = 0;
	(void)state;

	for (uint64_t ms = 0; ms < 100000; ms += 3)
		taken += rate_limit_take(&bucket, 33.3, 10, NOW_MS + ms);
	assert_in_range(taken, 3329, 3341);
}

static void no_rate_means_no_limit(void **state)
{
	struct rate_limit bucket = { 0 };
	(void)state;

	assert_int_equal(take_all(&bucket, 0, 1, NOW_MS), 100000);
	assert_int_equal(rate_limit_wait_ms(&bucket, 0, 1, NOW_MS), 0);
}

static void waiting_as_long_as_told_is_enough_and_at_most_a_millisecond_too_long(void **state)
{
	static const double rates[] = { 0.1, 1, 3, 7, 33.3, 999 };
	static const double bursts[] = { 0, 1, 2.5, 10 };
	(void)state;

	for (size_t r = 0; r < ARRAY_LEN(rates); r++) {
		for (size_t b = 0; b < ARRAY_LEN(bursts); b++) {
			struct rate_limit bucket = { 0 };
			uint64_t now_ms = NOW_MS;
			for (int i = 0; i < 50; i++) {
				take_all(&bucket, rates[r], bursts[b], now_ms);
				uint64_t wait_ms = rate_limit_wait_ms(&bucket, rates[r], bursts[b], now_ms);
				assert_true(wait_ms > 0);
				uint64_t early_ms = now_ms + MAX(wait_ms, 2u) - 2;
				struct rate_limit early = bucket;
				assert_false(rate_limit_take(&early, rates[r], bursts[b], early_ms));
				now_ms += wait_ms;
				assert_int_equal(rate_limit_wait_ms(&bucket, rates[r], bursts[b], now_ms), 0);
				assert_true(rate_limit_take(&bucket, rates[r], bursts[b], now_ms));
			}
		}
	}
}

static void a_clock_that_goes_back_gives_nothing_away(void **state)
{
	struct rate_limit bucket = { 0 };
	(void)state;

	take_all(&bucket, 10, 5, NOW_MS);
	assert_false(rate_limit_take(&bucket, 10, 5, NOW_MS - 4000));
	assert_false(rate_limit_take(&bucket, 10, 5, NOW_MS));
	assert_true(rate_limit_take(&bucket, 10, 5, NOW_MS + 100));
}

static void a_token_that_is_put_back_can_be_taken_again_and_no_more(void **state)
{
	struct rate_limit bucket = { 0 };
	(void)state;

	assert_int_equal(take_all(&bucket, 10, 5, NOW_MS), 5);
	rate_limit_give_back(&bucket);
	assert_int_equal(take_all(&bucket, 10, 5, NOW_MS), 1);
	for (int i = 0; i < 9; i++)
		rate_limit_give_back(&bucket);
	assert_int_equal(take_all(&bucket, 10, 5, NOW_MS), 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_bucket_gives_the_burst_and_no_more),
		cmocka_unit_test(it_fills_up_at_the_rate_and_not_over_the_burst),
		cmocka_unit_test(over_a_long_time_the_rate_is_kept),
		cmocka_unit_test(no_rate_means_no_limit),
		cmocka_unit_test(waiting_as_long_as_told_is_enough_and_at_most_a_millisecond_too_long),
		cmocka_unit_test(a_clock_that_goes_back_gives_nothing_away),
		cmocka_unit_test(a_token_that_is_put_back_can_be_taken_again_and_no_more),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
