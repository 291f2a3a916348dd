/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "im/lease/lease.h"

#define START 1000000
#define LIFE_MS 10000
#define RENEW_MS 3000

/* A lease that was taken at START. */
static struct lease held(void)
{
	struct lease lease = { .life_ms = LIFE_MS };

	lease_asked(&lease, START);
	lease_taken(&lease, 7, 3, 100);
	return lease;
}

static void without_a_number_one_is_taken_at_once(void **state)
{
	struct lease lease = { .life_ms = LIFE_MS };
	(void)state;

	assert_false(lease_is_held(&lease, START));
	assert_int_equal(lease_next(&lease, 0, START), LEASE_TAKE);
	lease_asked(&lease, START);
	assert_int_equal(lease_next(&lease, 0, START + 60000), LEASE_WAIT);
	lease_taken(&lease, 7, 3, 100);
	assert_true(lease_is_held(&lease, START));
	assert_int_equal(lease.node, 7);
	assert_int_equal(lease.epoch, 3);
}

static void a_take_that_failed_is_tried_again_after_a_pause(void **state)
{
	struct lease lease = { .life_ms = LIFE_MS };
	(void)state;

	lease_asked(&lease, START);
	lease_unanswered(&lease);
	assert_int_equal(lease_next(&lease, 0, START + LEASE_RETRY_MS - 1), LEASE_WAIT);
	assert_int_equal(lease_next(&lease, 0, START + LEASE_RETRY_MS), LEASE_TAKE);
}

static void a_lease_counts_from_its_request(void **state)
{
	struct lease lease = { .life_ms = LIFE_MS };
	(void)state;

	lease_asked(&lease, START);
	lease_taken(&lease, 7, 3, 100); /* the answer may be seconds late */
	assert_true(lease_is_held(&lease, START + LIFE_MS - 1));
	assert_false(lease_is_held(&lease, START + LIFE_MS));
}

static void a_lease_is_renewed_in_time_without_a_new_watermark(void **state)
{
	struct lease lease = held();
	(void)state;

	assert_int_equal(lease_next(&lease, 100, START + RENEW_MS - 1), LEASE_WAIT);
	assert_int_equal(lease_next(&lease, 100, START + RENEW_MS), LEASE_RENEW);
	lease_asked(&lease, START + RENEW_MS);
	lease_renewed(&lease, 100);
	assert_true(lease_is_held(&lease, START + RENEW_MS + LIFE_MS - 1));
}

static void a_watermark_that_moves_is_stored_ten_times_a_second(void **state)
{
	struct lease lease = held();
	(void)state;

	assert_int_equal(lease_next(&lease, 101, START + LEASE_STORE_WATERMARK_MS - 1), LEASE_WAIT);
	assert_int_equal(lease_next(&lease, 101, START + LEASE_STORE_WATERMARK_MS), LEASE_RENEW);
	lease_asked(&lease, START + LEASE_STORE_WATERMARK_MS);
	lease_renewed(&lease, 101);
	assert_int_equal(lease_next(&lease, 101, START + 3 * LEASE_STORE_WATERMARK_MS), LEASE_WAIT);
}

static void a_lease_that_ran_out_without_an_answer_is_renewed_not_replaced(void **state)
{
	struct lease lease = held();
	uint64_t now = START + RENEW_MS;
	(void)state;

	for (; now < START + 2 * LIFE_MS; now += LEASE_RETRY_MS) {
		assert_int_equal(lease_next(&lease, 100, now), LEASE_RENEW);
		lease_asked(&lease, now);
		lease_unanswered(&lease);
	}
	assert_false(lease_is_held(&lease, now));
	lease_asked(&lease, now);
	lease_renewed(&lease, 100);
	assert_true(lease_is_held(&lease, now));
	assert_int_equal(lease.epoch, 3);
}

static void a_lease_in_doubt_does_not_count_until_it_is_renewed(void **state)
{
	struct lease lease = held();
	uint64_t now = START + LEASE_RETRY_MS;
	(void)state;

	lease_doubt(&lease);
	assert_false(lease_is_held(&lease, now));
	assert_int_equal(lease_next(&lease, 100, now), LEASE_RENEW);
	lease_asked(&lease, now);
	lease_renewed(&lease, 100);
	assert_true(lease_is_held(&lease, now));
}

static void a_lost_lease_is_replaced_and_a_late_answer_does_not_bring_it_back(void **state)
{
	struct lease lease = held();
	uint64_t now = START + RENEW_MS;
	(void)state;

	lease_asked(&lease, now);
	lease_lost(&lease);
	lease_renewed(&lease, 100);
	assert_false(lease_is_held(&lease, now));
	assert_int_equal(lease_next(&lease, 100, now + LEASE_RETRY_MS), LEASE_TAKE);
}

static void a_lost_statement_has_the_epoch_raised_at_once_and_until_it_is_raised(void **state)
{
	struct lease lease = held();
	(void)state;

	lease_fence(&lease, 3, START + 50);
	assert_int_equal(lease_next(&lease, 100, START + 50), LEASE_RAISE);
	lease_asked(&lease, START + 51);
	assert_int_equal(lease_next(&lease, 100, START + 60000), LEASE_WAIT);
	lease_unanswered(&lease);
	assert_int_equal(lease_next(&lease, 100, START + 51 + LEASE_STORE_WATERMARK_MS - 1), LEASE_WAIT);
	assert_int_equal(lease_next(&lease, 100, START + 51 + LEASE_STORE_WATERMARK_MS), LEASE_RAISE);
	lease_asked(&lease, START + 200);
	lease_raised(&lease, 3, 100); /* the old statement is at work */
	assert_true(lease.must_raise);
	lease_asked(&lease, START + 400);
	lease_raised(&lease, 4, 100);
	assert_false(lease.must_raise);
	assert_int_equal(lease.epoch, 4);
	assert_true(lease_is_held(&lease, START + 400 + LIFE_MS - 1));
	assert_int_equal(lease_next(&lease, 100, START + 400), LEASE_WAIT);
}

static void an_epoch_that_was_raised_since_or_a_lost_lease_is_not_raised(void **state)
{
	struct lease lease = held();
	(void)state;

	lease_fence(&lease, 2, START);
	assert_false(lease.must_raise);
	lease_fence(&lease, 3, START);
	lease_lost(&lease);
	assert_int_equal(lease_next(&lease, 100, START + LEASE_RETRY_MS), LEASE_TAKE);
	lease_fence(&lease, 3, START);
	assert_false(lease.must_raise);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_number_one_is_taken_at_once),
		cmocka_unit_test(a_take_that_failed_is_tried_again_after_a_pause),
		cmocka_unit_test(a_lease_counts_from_its_request),
		cmocka_unit_test(a_lease_is_renewed_in_time_without_a_new_watermark),
		cmocka_unit_test(a_watermark_that_moves_is_stored_ten_times_a_second),
		cmocka_unit_test(a_lease_that_ran_out_without_an_answer_is_renewed_not_replaced),
		cmocka_unit_test(a_lease_in_doubt_does_not_count_until_it_is_renewed),
		cmocka_unit_test(a_lost_lease_is_replaced_and_a_late_answer_does_not_bring_it_back),
		cmocka_unit_test(a_lost_statement_has_the_epoch_raised_at_once_and_until_it_is_raised),
		cmocka_unit_test(an_epoch_that_was_raised_since_or_a_lost_lease_is_not_raised),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
