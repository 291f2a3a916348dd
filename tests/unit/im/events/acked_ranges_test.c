/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "base/macros.h"
#include "base/mem.h"
#include "cluster/inbox_delivered.h"
#include "im/events/acked_ranges.h"
#include "proto/record.pb-c.h"

/* ---- Redis and Kafka, played: claims wait until the test answers them ---- */

#define CLAIMS_MAX (ACKED_RANGES_MAX + 1)

static struct claim {
	char uid[65];
	struct inbox_range range;
	inbox_delivered_done done;
	void *arg;
} claims[CLAIMS_MAX];
static size_t claim_count;

void inbox_claim_delivered(struct redis *redis, struct str uid, const struct inbox_range *range, inbox_delivered_done done,
                           void *arg)
{
	struct claim *claim = &claims[claim_count++];

	(void)redis;
	assert_true(claim_count <= CLAIMS_MAX);
	*claim = (struct claim){ .range = *range, .done = done, .arg = arg };
	assert_true(str_copy(claim->uid, sizeof(claim->uid), uid));
}

static void answer(size_t i, const char *const *entries, size_t count)
{
	struct str texts[8];

	assert_true(count <= ARRAY_LEN(texts));
	for (size_t j = 0; j < count; j++)
		texts[j] = str_from(entries[j]);
	claims[i].done(claims[i].arg, OK, texts, count);
}

static Skein__V1__EventRecord *record;
static kafka_delivered record_delivered;
static void *record_arg;

err_t kafka_produce(struct kafka_producer *producer, const char *topic, struct str key, struct str value,
                    const struct kafka_header *headers, unsigned header_count, kafka_delivered delivered, void *arg)
{
	(void)producer;
	(void)topic;
	(void)key;
	(void)headers;
	(void)header_count;
	assert_null(record);
	record = skein__v1__event_record__unpack(NULL, value.len, (const uint8_t *)value.ptr);
	record_delivered = delivered;
	record_arg = arg;
	return OK;
}

/* ---- the ranges ---- */

struct scene {
	struct worker worker;
	struct events events;
	struct acked_ranges ranges;
};

static int begin(void **state)
{
	static char producer;
	struct scene *scene = MEM_NEW(struct scene);

	claim_count = 0;
	assert_int_equal(worker_init(&scene->worker, "test"), OK);
	events_init(&scene->events, &scene->worker, (struct kafka_producer *)(void *)&producer, "im-1");
	acked_ranges_init(&scene->ranges, NULL, &scene->events);
	*state = scene;
	return 0;
}

static int end(void **state)
{
	struct scene *scene = *state;

	events_stop(&scene->events);
	if (record) {
		record_delivered(record_arg, OK);
		skein__v1__event_record__free_unpacked(record, NULL);
		record = NULL;
	}
	worker_stop(&scene->worker);
	worker_join(&scene->worker);
	mem_free(scene);
	return 0;
}

/* A request as it comes from a gateway: `count` ranges of bob's inbox; with `seq` a receipt for u:alice:bob as well. */
static void take(struct scene *scene, size_t count, uint64_t seq)
{
	Skein__V1__DeliveredRequest request = SKEIN__V1__DELIVERED_REQUEST__INIT;
	Skein__V1__Receipt receipt = SKEIN__V1__RECEIPT__INIT, *receipts = &receipt;
	Skein__V1__InboxRange range = SKEIN__V1__INBOX_RANGE__INIT, *ranges[CLAIMS_MAX];
	struct buf bytes = { 0 };

	receipt.uid = "bob";
	receipt.conversation_id = "u:alice:bob";
	receipt.seq = seq;
	range.uid = "bob";
	range.epoch = 7;
	range.after = 3;
	range.up_to = 9;
	for (size_t i = 0; i < count; i++)
		ranges[i] = &range;
	request.receipts = &receipts;
	request.n_receipts = seq ? 1 : 0;
	request.ranges = ranges;
	request.n_ranges = count;
	buf_reserve(&bytes, skein__v1__delivered_request__get_packed_size(&request));
	bytes.len = skein__v1__delivered_request__pack(&request, (uint8_t *)bytes.ptr);
	acked_ranges_take(&scene->ranges, skein__v1__delivered_request__unpack(NULL, bytes.len, (const uint8_t *)bytes.ptr));
	buf_release(&bytes);
}

/* The events so far are exactly these, each "to: body". */
static void assert_told(struct scene *scene, const char *const *expected, size_t count)
{
	char told[256];

	events_stop(&scene->events);
	assert_int_equal(record ? record->n_events : 0, count);
	for (size_t i = 0; i < count; i++) {
		const Skein__V1__EmittedEvent *emitted = record->events[i];

		assert_int_equal(emitted->audience->users->n_uids, 1);
		snprintf(told, sizeof(told), "%s: %s", emitted->audience->users->uids[0], emitted->event->body);
		assert_string_equal(told, expected[i]);
	}
}

static void each_one_to_one_conversation_of_a_range_is_told_once_with_its_last_message(void **state)
{
	static const char *const entries[] = { "u:alice:bob 4", "u:bob:carol 2", "g:crew 7", "u:bob:bob 1",
		                               "u:alice:bob 5", "no entry", "u:dave:erin 3" };
	static const char *const told[] = {
		"alice: {\"conversation_id\":\"u:alice:bob\",\"uid\":\"bob\",\"seq\":5}",
		"carol: {\"conversation_id\":\"u:bob:carol\",\"uid\":\"bob\",\"seq\":2}",
	};
	struct scene *scene = *state;

	take(scene, 1, 0);
	assert_int_equal(claim_count, 1);
	assert_string_equal(claims[0].uid, "bob");
	assert_int_equal(claims[0].range.epoch, 7);
	assert_int_equal(claims[0].range.after, 3);
	assert_int_equal(claims[0].range.up_to, 9);
	answer(0, entries, ARRAY_LEN(entries));
	assert_told(scene, told, ARRAY_LEN(told));
}

static void what_a_receipt_of_the_same_request_covers_is_not_told_again(void **state)
{
	static const char *const entries[] = { "u:alice:bob 4", "u:bob:carol 2" };
	static const char *const told[] = { "carol: {\"conversation_id\":\"u:bob:carol\",\"uid\":\"bob\",\"seq\":2}" };
	struct scene *scene = *state;

	take(scene, 1, 4);
	answer(0, entries, ARRAY_LEN(entries));
	assert_told(scene, told, ARRAY_LEN(told));
}

static void a_range_that_redis_does_not_answer_is_dropped_and_counted(void **state)
{
	struct scene *scene = *state;
	uint64_t before = counter_value(scene->ranges.dropped);

	take(scene, 2, 0);
	claims[0].done(claims[0].arg, ERR_UNAVAILABLE, NULL, 0);
	answer(1, NULL, 0);
	assert_int_equal(counter_value(scene->ranges.dropped), before + 1);
	assert_told(scene, NULL, 0);
}

static void over_the_limit_or_while_many_events_wait_ranges_are_dropped(void **state)
{
	struct scene *scene = *state;
	uint64_t before = counter_value(scene->ranges.dropped);

	take(scene, ACKED_RANGES_MAX + 1, 0);
	assert_int_equal(claim_count, ACKED_RANGES_MAX);
	assert_int_equal(counter_value(scene->ranges.dropped), before + 1);
	for (size_t i = 0; i < ACKED_RANGES_MAX; i++)
		answer(i, NULL, 0);
	scene->events.waiting += EVENTS_MAX_WAITING / 2 + 1;
	take(scene, 1, 0);
	scene->events.waiting -= EVENTS_MAX_WAITING / 2 + 1;
	assert_int_equal(claim_count, ACKED_RANGES_MAX);
	assert_int_equal(counter_value(scene->ranges.dropped), before + 2);
}

static void a_range_without_a_user_or_numbers_is_not_valid(void **state)
{
	Skein__V1__DeliveredRequest request = SKEIN__V1__DELIVERED_REQUEST__INIT;
	Skein__V1__InboxRange range = SKEIN__V1__INBOX_RANGE__INIT, *ranges = &range;
	(void)state;

	request.ranges = &ranges;
	request.n_ranges = 1;
	range.up_to = 1;
	assert_false(acked_ranges_are_valid(&request));
	range.uid = "bob";
	assert_true(acked_ranges_are_valid(&request));
	range.after = 1;
	assert_false(acked_ranges_are_valid(&request));
	request.n_ranges = 257;
	assert_false(acked_ranges_are_valid(&request));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(each_one_to_one_conversation_of_a_range_is_told_once_with_its_last_message),
		TEST(what_a_receipt_of_the_same_request_covers_is_not_told_again),
		TEST(a_range_that_redis_does_not_answer_is_dropped_and_counted),
		TEST(over_the_limit_or_while_many_events_wait_ranges_are_dropped),
		TEST(a_range_without_a_user_or_numbers_is_not_valid),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
