#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "push/order/delivery_wait.h"

/* An interval in which `count` messages ended, each after took_ms. */
static unsigned interval(struct delivery_wait *wait, unsigned count, unsigned took_ms, size_t in_flight, size_t untaken)
{
	unsigned wait_ms = 0;

	for (unsigned i = 0; i < count; i++)
		delivery_wait_ended(wait, 1000ull * took_ms);
	assert_true(delivery_wait_end_interval(wait, in_flight, untaken, &wait_ms));
	return wait_ms;
}

static void the_wait_is_the_messages_in_flight_and_in_kafka_at_the_pace(void **state)
{
	struct delivery_wait wait = { 0 };
	(void)state;

	/* 400 in 0.1 s: 1,000 in flight and 2,000 in Kafka take 250 and 500 ms */
	assert_int_equal(interval(&wait, 400, 240, 1000, 2000), 750);
}

static void stuck_messages_do_not_count_while_others_pass_them(void **state)
{
	struct delivery_wait wait = { 0 };
	(void)state;

	/* 5,000 wait for a gateway that does not answer, those of the other take 5 ms */
	assert_in_range(interval(&wait, 100, 5, 5000, 0), 1, 99);
}

static void without_a_message_that_ends_there_is_no_estimate(void **state)
{
	struct delivery_wait wait = { 0 };
	unsigned wait_ms;
	(void)state;

	assert_false(delivery_wait_end_interval(&wait, 5000, 100000, &wait_ms));
	(void)interval(&wait, 400, 100, 1000, 0);
	assert_false(delivery_wait_end_interval(&wait, 5000, 100000, &wait_ms));
}

static void a_few_slow_messages_are_no_queue(void **state)
{
	struct delivery_wait wait = { 0 };
	(void)state;

	assert_int_equal(interval(&wait, 1, 8000, DELIVERY_QUEUE_MIN - 1, 0), 0);
	assert_true(interval(&wait, 1, 8000, DELIVERY_QUEUE_MIN, 0) > 1000);
}

static void the_backlog_of_an_outage_is_seen_at_once_and_shrinks(void **state)
{
	struct delivery_wait wait = { 0 };
	unsigned before_ms = interval(&wait, 200, 20, 5000, 100000);
	(void)state;

	assert_in_range(before_ms, 50000, 51000);
	for (int i = 1; i < 100; i++) {
		unsigned wait_ms = interval(&wait, 200, 20, 5000, (size_t)(100000 - 1000 * i));
		assert_true(wait_ms < before_ms);
		before_ms = wait_ms;
	}
}

static void the_pace_of_one_interval_does_not_decide(void **state)
{
	struct delivery_wait wait = { 0 };
	(void)state;

	for (int i = 0; i < 50; i++)
		(void)interval(&wait, 400, 250, 1000, 0);
	assert_in_range(interval(&wait, 1, 250, 1000, 0), 250, 350);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_wait_is_the_messages_in_flight_and_in_kafka_at_the_pace),
		cmocka_unit_test(stuck_messages_do_not_count_while_others_pass_them),
		cmocka_unit_test(without_a_message_that_ends_there_is_no_estimate),
		cmocka_unit_test(a_few_slow_messages_are_no_queue),
		cmocka_unit_test(the_backlog_of_an_outage_is_seen_at_once_and_shrinks),
		cmocka_unit_test(the_pace_of_one_interval_does_not_decide),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
