#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/text/buf.h"
#include "base/macros.h"
#include "base/random.h"
#include "rpc/core/merge_queue.h"
#include "rpc/core/rpc_message.h"

/* Takes one write, appends its bytes to `out`, and returns their number. */
static size_t take(struct merge_queue *queue, struct buf *out)
{
	grpc_byte_buffer *write = merge_queue_take(queue);
	struct rpc_message message;

	rpc_message_open(&message, write);
	size_t len = message.bytes.len;
	buf_append_str(out, message.bytes);
	rpc_message_close(&message);
	grpc_byte_buffer_destroy(write);
	return len;
}

static void waiting_messages_are_one_write(void **state)
{
	struct merge_queue queue;
	struct buf out = { 0 };
	(void)state;

	merge_queue_init(&queue);
	assert_true(merge_queue_is_empty(&queue));
	merge_queue_append(&queue, STR("one "), true);
	merge_queue_append(&queue, STR(""), true);
	merge_queue_append(&queue, STR("two"), true);
	assert_int_equal(queue.bytes, 7);
	assert_int_equal(take(&queue, &out), 7);
	assert_true(str_equal(buf_str(&out), STR("one two")));
	assert_true(merge_queue_is_empty(&queue));
	assert_int_equal(queue.bytes, 0);
	buf_release(&out);
}

static void an_empty_message_is_still_a_write(void **state)
{
	struct merge_queue queue;
	struct buf out = { 0 };
	(void)state;

	merge_queue_init(&queue);
	merge_queue_append(&queue, STR(""), false);
	assert_false(merge_queue_is_empty(&queue));
	assert_int_equal(take(&queue, &out), 0);
	assert_true(merge_queue_is_empty(&queue));
	buf_release(&out);
}

static void messages_that_follow_a_lone_one_are_written_after_it(void **state)
{
	struct merge_queue queue;
	struct buf out = { 0 };
	(void)state;

	merge_queue_init(&queue);
	merge_queue_append(&queue, STR("alone"), false);
	merge_queue_append(&queue, STR(", then not"), true);
	assert_int_equal(take(&queue, &out), 15);
	assert_true(str_equal(buf_str(&out), STR("alone, then not")));
	buf_release(&out);
}

static void a_message_larger_than_a_write_is_a_write_of_its_own(void **state)
{
	struct merge_queue queue;
	struct buf out = { 0 };
	char *large = calloc(1, MERGE_MAX + 1);
	(void)state;

	merge_queue_init(&queue);
	merge_queue_append(&queue, STR("before"), true);
	merge_queue_append(&queue, str_of(large, MERGE_MAX + 1), true);
	merge_queue_append(&queue, STR("behind"), true);
	assert_int_equal(take(&queue, &out), 6);
	assert_int_equal(take(&queue, &out), MERGE_MAX + 1);
	assert_int_equal(take(&queue, &out), 6);
	assert_true(merge_queue_is_empty(&queue));
	free(large);
	buf_release(&out);
}

/* Each message begins with its own length, so that the test notices a write that ends inside a message. */
static void writes_are_whole_messages_within_the_limit_in_order(void **state)
{
	struct merge_queue queue;
	struct buf sent = { 0 }, got = { 0 };
	static uint32_t message[8000];
	(void)state;

	merge_queue_init(&queue);
	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < 400; i++) {
			uint32_t words = 1 + (uint32_t)random_below(i % 10 ? 50 : ARRAY_LEN(message));

			message[0] = words;
			merge_queue_append(&queue, str_of(message, words * sizeof(*message)), random_below(2));
			buf_append(&sent, message, words * sizeof(*message));
		}
		while (!merge_queue_is_empty(&queue)) {
			size_t start = got.len, at = start;

			assert_in_range(take(&queue, &got), 1, MERGE_MAX);
			while (at < got.len) {
				uint32_t words;

				memcpy(&words, got.ptr + at, sizeof(words));
				at += words * sizeof(*message);
			}
			assert_int_equal(at, got.len);
		}
	}
	assert_int_equal(got.len, sent.len);
	assert_memory_equal(got.ptr, sent.ptr, sent.len);
	buf_release(&sent);
	buf_release(&got);
}

static void clearing_drops_all_messages(void **state)
{
	struct merge_queue queue;
	struct buf out = { 0 };
	(void)state;

	merge_queue_init(&queue);
	for (int i = 0; i < 10000; i++)
		merge_queue_append(&queue, STR("dropped"), i % 3);
	merge_queue_clear(&queue);
	assert_true(merge_queue_is_empty(&queue));
	assert_int_equal(queue.bytes, 0);
	merge_queue_append(&queue, STR("kept"), true);
	assert_int_equal(take(&queue, &out), 4);
	buf_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(waiting_messages_are_one_write),
		cmocka_unit_test(an_empty_message_is_still_a_write),
		cmocka_unit_test(messages_that_follow_a_lone_one_are_written_after_it),
		cmocka_unit_test(a_message_larger_than_a_write_is_a_write_of_its_own),
		cmocka_unit_test(writes_are_whole_messages_within_the_limit_in_order),
		cmocka_unit_test(clearing_drops_all_messages),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
