#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "gateway/im/receipts.h"
#include "proto/im.pb-c.h"

/* Takes a batch and unpacks it, as im does. */
static Skein__V1__DeliveredRequest *take(struct receipts *receipts)
{
	struct buf bytes = { 0 };
	size_t count = receipts_take(receipts, &bytes);
	Skein__V1__DeliveredRequest *request =
		skein__v1__delivered_request__unpack(NULL, bytes.len, (const uint8_t *)bytes.ptr);

	assert_non_null(request);
	assert_int_equal(request->n_receipts + request->n_ranges, count);
	buf_release(&bytes);
	return request;
}

static void expect(const Skein__V1__Receipt *receipt, const char *uid, const char *conversation_id, uint64_t seq)
{
	assert_string_equal(receipt->uid, uid);
	assert_string_equal(receipt->conversation_id, conversation_id);
	assert_int_equal(receipt->seq, seq);
}

static void acks_of_one_conversation_become_one_receipt_of_the_highest_seq(void **state)
{
	struct receipts receipts;
	(void)state;

	receipts_init(&receipts);
	assert_true(receipts_add(&receipts, "bob", "u:alice:bob", 5));
	assert_true(receipts_add(&receipts, "bob", "u:bob:carol", 2));
	assert_true(receipts_add(&receipts, "bob", "u:alice:bob", 9));
	assert_true(receipts_add(&receipts, "bob", "u:alice:bob", 7)); /* another device, behind */
	assert_true(receipts_add(&receipts, "alice", "u:alice:bob", 3)); /* the other side */
	assert_int_equal(receipts_count(&receipts), 3);
	Skein__V1__DeliveredRequest *request = take(&receipts);
	assert_int_equal(request->n_receipts, 3);
	expect(request->receipts[0], "bob", "u:alice:bob", 9);
	expect(request->receipts[1], "bob", "u:bob:carol", 2);
	expect(request->receipts[2], "alice", "u:alice:bob", 3);
	skein__v1__delivered_request__free_unpacked(request, NULL);
	assert_int_equal(receipts_count(&receipts), 0);
	receipts_release(&receipts);
}

static void fill(struct receipts *receipts, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		char uid[16];

		snprintf(uid, sizeof(uid), "user-%u", i);
		assert_true(receipts_add(receipts, uid, "u:a:b", i + 1));
	}
}

static void a_batch_has_at_most_256_receipts_oldest_first(void **state)
{
	struct receipts receipts;
	uint64_t seq = 0;
	(void)state;

	receipts_init(&receipts);
	fill(&receipts, 600);
	for (size_t left = 600; left;) {
		Skein__V1__DeliveredRequest *request = take(&receipts);

		assert_int_equal(request->n_receipts, left < RECEIPTS_BATCH ? left : RECEIPTS_BATCH);
		for (size_t i = 0; i < request->n_receipts; i++)
			assert_int_equal(request->receipts[i]->seq, ++seq);
		left -= request->n_receipts;
		assert_int_equal(receipts_count(&receipts), left);
		skein__v1__delivered_request__free_unpacked(request, NULL);
	}
	receipts_release(&receipts);
}

static void over_the_limit_a_new_receipt_is_refused_and_a_known_one_still_rises(void **state)
{
	struct receipts receipts;
	(void)state;

	receipts_init(&receipts);
	fill(&receipts, RECEIPTS_MAX);
	assert_false(receipts_add(&receipts, "one-more", "u:a:b", 1));
	assert_true(receipts_add(&receipts, "user-0", "u:a:b", 1000000));
	assert_int_equal(receipts_count(&receipts), RECEIPTS_MAX);
	Skein__V1__DeliveredRequest *request = take(&receipts);
	expect(request->receipts[0], "user-0", "u:a:b", 1000000);
	skein__v1__delivered_request__free_unpacked(request, NULL);
	assert_true(receipts_add(&receipts, "one-more", "u:a:b", 1));
	receipts_release(&receipts);
}

static void two_pairs_of_user_and_conversation_differ_even_if_their_texts_join_to_the_same(void **state)
{
	struct receipts receipts;
	(void)state;

	receipts_init(&receipts);
	assert_true(receipts_add(&receipts, "ab", "u:c", 1));
	assert_true(receipts_add(&receipts, "a", "bu:c", 2));
	assert_int_equal(receipts_count(&receipts), 2);
	receipts_release(&receipts);
}

static void expect_range(const Skein__V1__InboxRange *range, const char *uid, uint64_t epoch, uint64_t after, uint64_t up_to)
{
	assert_string_equal(range->uid, uid);
	assert_int_equal(range->epoch, epoch);
	assert_int_equal(range->after, after);
	assert_int_equal(range->up_to, up_to);
}

static void ranges_of_one_user_are_merged_and_stand_beside_its_receipts(void **state)
{
	const struct pulled ranges[] = { { 7, 0, 5 }, { 7, 5, 9 }, { 7, 3, 4 }, { 8, 2, 3 } };
	struct receipts receipts;
	(void)state;

	receipts_init(&receipts);
	for (size_t i = 0; i < 3; i++)
		assert_true(receipts_add_range(&receipts, "bob", &ranges[i]));
	assert_true(receipts_add(&receipts, "bob", "u:alice:bob", 5));
	assert_true(receipts_add_range(&receipts, "carol", &ranges[0]));
	assert_true(receipts_add_range(&receipts, "carol", &ranges[3])); /* the inbox was made anew */
	assert_int_equal(receipts_count(&receipts), 3);
	Skein__V1__DeliveredRequest *request = take(&receipts);
	assert_int_equal(request->n_receipts, 1);
	assert_int_equal(request->n_ranges, 2);
	expect(request->receipts[0], "bob", "u:alice:bob", 5);
	expect_range(request->ranges[0], "bob", 7, 0, 9);
	expect_range(request->ranges[1], "carol", 8, 2, 3);
	skein__v1__delivered_request__free_unpacked(request, NULL);
	receipts_release(&receipts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(acks_of_one_conversation_become_one_receipt_of_the_highest_seq),
		cmocka_unit_test(a_batch_has_at_most_256_receipts_oldest_first),
		cmocka_unit_test(over_the_limit_a_new_receipt_is_refused_and_a_known_one_still_rises),
		cmocka_unit_test(ranges_of_one_user_are_merged_and_stand_beside_its_receipts),
		cmocka_unit_test(two_pairs_of_user_and_conversation_differ_even_if_their_texts_join_to_the_same),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
