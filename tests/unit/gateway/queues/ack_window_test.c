#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/macros.h"
#include "gateway/queues/ack_window.h"

static const struct ack_limits limits = { .max_messages = 4, .max_bytes = 1000, .timeout_ms = 10 };

static void an_idle_window_takes_40_bytes_at_most(void **state)
{
	(void)state;
	assert_true(sizeof(struct ack_window) <= 40);
}

static void a_queued_message_is_in_flight_until_acked(void **state)
{
	struct ack_window w = { 0 };
	(void)state;

	ack_window_restart(&w, 41);
	assert_int_equal(ack_window_last(&w), 41);
	for (uint64_t offset = 42; offset <= 44; offset++)
		ack_window_add(&w, offset, 100, 1);
	assert_int_equal(ack_window_messages(&w), 3);
	assert_int_equal(ack_window_bytes(&w), 300);
	assert_int_equal(ack_window_last(&w), 44);
	assert_true(ack_window_take(&w, 43, 2));
	assert_int_equal(ack_window_messages(&w), 1);
	assert_int_equal(ack_window_bytes(&w), 100);
	assert_int_equal(w.acked, 43);
	assert_true(ack_window_take(&w, 44, 2));
	assert_null(w.ring);
	assert_int_equal(ack_window_deadline(&w, &limits), 0);
}

static void any_number_of_messages_and_acks_adds_up(void **state)
{
	struct ack_window w = { 0 };
	uint64_t sent = 0, acked = 0;
	(void)state;

	for (uint64_t round = 1; round < 2000; round++) {
		for (uint64_t i = 0; i < round % 7; i++) {
			sent++;
			ack_window_add(&w, sent, (uint32_t)sent, round);
		}
		if (round % 3 == 0) {
			acked = acked + (sent - acked) / 2;
			ack_window_take(&w, acked, round);
		}
		assert_int_equal(w.acked, acked);
		assert_int_equal(ack_window_messages(&w), sent - acked);
		assert_int_equal(ack_window_bytes(&w), (sent * (sent + 1) - acked * (acked + 1)) / 2);
	}
	ack_window_release(&w);
}

static void it_is_full_at_either_limit_and_has_room_when_half_is_free(void **state)
{
	struct ack_window w = { 0 };
	(void)state;

	for (uint64_t offset = 1; offset <= 4; offset++) {
		assert_false(ack_window_is_full(&w, &limits));
		assert_int_equal(ack_window_room(&w, &limits), 5 - offset);
		ack_window_add(&w, offset, 1, 1);
	}
	assert_true(ack_window_is_full(&w, &limits));
	assert_int_equal(ack_window_room(&w, &limits), 1);
	ack_window_take(&w, 1, 2);
	assert_false(ack_window_has_room(&w, &limits));
	ack_window_take(&w, 2, 2);
	assert_true(ack_window_has_room(&w, &limits));
	ack_window_add(&w, 5, 997, 2);
	assert_false(ack_window_is_full(&w, &limits));
	assert_false(ack_window_has_room(&w, &limits));
	ack_window_take(&w, 4, 2);
	ack_window_add(&w, 6, 3, 2);
	assert_true(ack_window_is_full(&w, &limits));
	ack_window_release(&w);
}

static void an_empty_window_has_room_for_a_message_of_any_size(void **state)
{
	struct ack_window w = { 0 };
	(void)state;

	assert_false(ack_window_is_full(&w, &limits));
	ack_window_add(&w, 1, 1000000, 1);
	assert_true(ack_window_is_full(&w, &limits));
	ack_window_take(&w, 1, 1);
	assert_true(ack_window_has_room(&w, &limits));
}

static void the_room_counts_messages_of_the_size_of_the_last_one(void **state)
{
	struct ack_window w = { 0 };
	(void)state;

	assert_int_equal(ack_window_room(&w, &limits), 4);
	ack_window_add(&w, 1, 400, 1);
	assert_int_equal(ack_window_room(&w, &limits), 2); /* one fits, the next one reaches the limit */
	ack_window_take(&w, 1, 1);
	assert_int_equal(ack_window_room(&w, &limits), 3);
	ack_window_add(&w, 2, 0, 1);
	assert_int_equal(ack_window_room(&w, &limits), 3);
	ack_window_release(&w);
}

static void an_ack_backwards_or_again_changes_nothing(void **state)
{
	struct ack_window w = { 0 };
	(void)state;

	ack_window_add(&w, 1, 1, 1);
	ack_window_add(&w, 2, 1, 1);
	ack_window_take(&w, 1, 5);
	assert_false(ack_window_take(&w, 1, 6));
	assert_false(ack_window_take(&w, 0, 6));
	assert_int_equal(w.acked, 1);
	assert_int_equal(w.since_ms, 5);
	ack_window_release(&w);
}

static void an_ack_beyond_the_last_message_frees_all_and_covers_later_numbers(void **state)
{
	struct ack_window w = { 0 };
	(void)state;

	ack_window_add(&w, 1, 1, 1);
	assert_true(ack_window_take(&w, 3, 1));
	assert_null(w.ring);
	ack_window_add(&w, 2, 1, 1); /* it has these */
	ack_window_add(&w, 3, 1, 1);
	assert_null(w.ring);
	ack_window_add(&w, 4, 1, 1);
	assert_int_equal(ack_window_messages(&w), 1);
	assert_int_equal(ack_window_last(&w), 4);
	ack_window_release(&w);
}

static void after_a_jump_it_counts_from_there(void **state)
{
	struct ack_window w = { 0 };
	(void)state;

	ack_window_add(&w, 1, 1, 1);
	ack_window_add(&w, 2, 1, 1);
	ack_window_add(&w, 20, 7, 9);
	assert_int_equal(ack_window_messages(&w), 1);
	assert_int_equal(ack_window_bytes(&w), 7);
	assert_int_equal(w.since_ms, 9);
	assert_false(ack_window_take(&w, 19, 10));
	assert_true(ack_window_take(&w, 20, 10));

	ack_window_add(&w, 21, 1, 1);
	ack_window_restart(&w, 3); /* another inbox */
	assert_null(w.ring);
	ack_window_add(&w, 4, 1, 1);
	assert_int_equal(ack_window_last(&w), 4);
	ack_window_release(&w);
}

static void a_client_that_answers_pings_but_does_not_ack_is_sent_all_again_once(void **state)
{
	struct ack_window w = { 0 };
	(void)state;

	ack_window_add(&w, 1, 1, 100);
	assert_int_equal(ack_window_step(&w, &limits, 109), ACK_NOTHING);
	assert_int_equal(ack_window_deadline(&w, &limits), 110);
	assert_int_equal(ack_window_step(&w, &limits, 110), ACK_PING);
	ack_window_ponged(&w);
	assert_int_equal(ack_window_step(&w, &limits, 119), ACK_NOTHING);
	assert_int_equal(ack_window_step(&w, &limits, 120), ACK_RESEND);
	ack_window_resent(&w, &limits, 125);
	assert_int_equal(ack_window_step(&w, &limits, 134), ACK_NOTHING);
	assert_int_equal(ack_window_step(&w, &limits, 135), ACK_GIVE_UP);
	ack_window_release(&w);
}

static void a_client_that_does_not_answer_a_ping_is_given_up(void **state)
{
	struct ack_window w = { 0 };
	(void)state;

	ack_window_ponged(&w); /* of a heartbeat: nothing was asked */
	ack_window_add(&w, 1, 1, 100);
	ack_window_ponged(&w);
	assert_int_equal(ack_window_step(&w, &limits, 110), ACK_PING);
	assert_int_equal(ack_window_step(&w, &limits, 119), ACK_NOTHING);
	assert_int_equal(ack_window_step(&w, &limits, 120), ACK_GIVE_UP);
	ack_window_release(&w);
}

static void a_late_step_does_not_shorten_the_time_until_the_next(void **state)
{
	struct ack_window w = { 0 };
	(void)state;

	ack_window_add(&w, 1, 1, 100);
	assert_int_equal(ack_window_step(&w, &limits, 150), ACK_PING);
	assert_int_equal(ack_window_deadline(&w, &limits), 160);
	ack_window_release(&w);
}

static void any_progress_restores_trust(void **state)
{
	struct ack_window w = { 0 };
	(void)state;

	ack_window_add(&w, 1, 1, 100);
	ack_window_add(&w, 2, 1, 100);
	assert_int_equal(ack_window_step(&w, &limits, 110), ACK_PING);
	ack_window_ponged(&w);
	assert_int_equal(ack_window_step(&w, &limits, 120), ACK_RESEND);
	ack_window_take(&w, 1, 125);
	ack_window_resent(&w, &limits, 126); /* too late to matter */
	assert_int_equal(ack_window_deadline(&w, &limits), 135);
	assert_int_equal(ack_window_step(&w, &limits, 135), ACK_PING);
	ack_window_release(&w);
}

static void the_timeout_begins_with_the_first_message(void **state)
{
	struct ack_window w = { 0 };
	(void)state;

	ack_window_add(&w, 1, 1, 100);
	ack_window_add(&w, 2, 1, 108);
	assert_int_equal(ack_window_deadline(&w, &limits), 110);
	ack_window_take(&w, 2, 109);
	ack_window_add(&w, 3, 1, 200);
	assert_int_equal(ack_window_deadline(&w, &limits), 210);
	ack_window_release(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_idle_window_takes_40_bytes_at_most),
		cmocka_unit_test(a_queued_message_is_in_flight_until_acked),
		cmocka_unit_test(any_number_of_messages_and_acks_adds_up),
		cmocka_unit_test(it_is_full_at_either_limit_and_has_room_when_half_is_free),
		cmocka_unit_test(an_empty_window_has_room_for_a_message_of_any_size),
		cmocka_unit_test(the_room_counts_messages_of_the_size_of_the_last_one),
		cmocka_unit_test(an_ack_backwards_or_again_changes_nothing),
		cmocka_unit_test(an_ack_beyond_the_last_message_frees_all_and_covers_later_numbers),
		cmocka_unit_test(after_a_jump_it_counts_from_there),
		cmocka_unit_test(a_client_that_answers_pings_but_does_not_ack_is_sent_all_again_once),
		cmocka_unit_test(a_client_that_does_not_answer_a_ping_is_given_up),
		cmocka_unit_test(a_late_step_does_not_shorten_the_time_until_the_next),
		cmocka_unit_test(any_progress_restores_trust),
		cmocka_unit_test(the_timeout_begins_with_the_first_message),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
