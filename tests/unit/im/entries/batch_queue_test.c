/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "im/entries/batch_queue.h"

static struct send *make(const char *sender, const char *to, const char *key)
{
	struct send_request request = {
		.client_msg_id = str_from(key),
		.user = str_from(to),
		.type = STR("text"),
	};

	buf_append_text(&request.body, "{}");
	struct send *send = send_new(str_from(sender), &request, STR(""), NULL, NULL);
	send_request_release(&request);
	return send;
}

static struct send *push(struct batch_queue *queue, const char *sender, const char *to, const char *key)
{
	struct send *send = make(sender, to, key);

	batch_queue_push(queue, send);
	return send;
}

static void free_batch(struct batch *batch)
{
	for (unsigned i = 0; i < batch->len; i++)
		send_free(batch->sends[i]);
}

static void a_batch_is_grouped_by_conversation_and_keeps_the_order_within(void **state)
{
	struct batch_queue queue;
	struct batch batch;
	(void)state;

	batch_queue_init(&queue);
	struct send *first = push(&queue, "x", "y", "9");
	struct send *other = push(&queue, "b", "a", "5");
	struct send *second = push(&queue, "y", "x", "1");
	struct send *third = push(&queue, "x", "y", "3");
	batch_queue_take(&queue, &batch, 64);
	assert_int_equal(queue.len, 0);
	assert_int_equal(batch.len, 4);
	assert_int_equal(batch.conversation_count, 2);
	assert_true(str_equal(batch.conversations[0], STR("u:a:b")));
	assert_true(str_equal(batch.conversations[1], STR("u:x:y")));
	assert_ptr_equal(batch.sends[0], other);
	assert_ptr_equal(batch.sends[1], first);
	assert_ptr_equal(batch.sends[2], second);
	assert_ptr_equal(batch.sends[3], third);
	for (unsigned i = 0; i < batch.len; i++)
		assert_int_equal(batch.conversation_of[i], i == 0 ? 0 : 1);
	free_batch(&batch);
}

static void a_batch_takes_no_more_than_asked_from_the_front(void **state)
{
	struct batch_queue queue;
	struct batch batch;
	(void)state;

	batch_queue_init(&queue);
	struct send *first = push(&queue, "z", "z", "1");
	struct send *second = push(&queue, "b", "a", "2");
	struct send *third = push(&queue, "a", "a", "3");
	batch_queue_take(&queue, &batch, 2);
	assert_int_equal(batch.len, 2);
	assert_ptr_equal(batch.sends[0], second);
	assert_ptr_equal(batch.sends[1], first);
	assert_int_equal(queue.len, 1);
	assert_ptr_equal(batch_queue_first(&queue), third);
	free_batch(&batch);
	send_free(third);
}

static void a_key_used_twice_is_in_two_batches(void **state)
{
	struct batch_queue queue;
	struct batch batch;
	(void)state;

	batch_queue_init(&queue);
	struct send *first = push(&queue, "a", "b", "k");
	struct send *repeat = push(&queue, "a", "b", "k");
	struct send *of_another = push(&queue, "b", "a", "k");
	struct send *elsewhere = push(&queue, "a", "c", "k");
	struct send *again = push(&queue, "a", "b", "k");
	batch_queue_take(&queue, &batch, 64);
	assert_int_equal(batch.len, 3);
	assert_ptr_equal(batch.sends[0], first);
	assert_ptr_equal(batch.sends[1], of_another);
	assert_ptr_equal(batch.sends[2], elsewhere);
	free_batch(&batch);
	batch_queue_take(&queue, &batch, 64);
	assert_int_equal(batch.len, 1);
	assert_ptr_equal(batch.sends[0], repeat);
	free_batch(&batch);
	batch_queue_take(&queue, &batch, 64);
	assert_int_equal(batch.len, 1);
	assert_ptr_equal(batch.sends[0], again);
	free_batch(&batch);
	assert_null(batch_queue_first(&queue));
}

static void what_is_put_back_comes_first_again_in_its_order(void **state)
{
	struct batch_queue queue;
	struct batch batch;
	(void)state;

	batch_queue_init(&queue);
	struct send *first = push(&queue, "a", "b", "1");
	struct send *second = push(&queue, "a", "b", "2");
	struct send *third = push(&queue, "a", "b", "3");
	batch_queue_take(&queue, &batch, 64);
	struct send *later = push(&queue, "a", "b", "4");
	batch.sends[1] = NULL; /* ended */
	batch_queue_put_back(&queue, &batch);
	assert_int_equal(queue.len, 3);
	batch_queue_take(&queue, &batch, 64);
	assert_int_equal(batch.len, 3);
	assert_ptr_equal(batch.sends[0], first);
	assert_ptr_equal(batch.sends[1], third);
	assert_ptr_equal(batch.sends[2], later);
	free_batch(&batch);
	send_free(second);
}

static void a_send_keeps_all_that_it_was_made_of(void **state)
{
	struct send_request request = {
		.client_msg_id = STR("k"),
		.group = STR("g1"),
		.type = STR("text"),
		.reply_to = 3,
	};
	char *mentions[MENTIONS_MAX];
	(void)state;

	buf_append_text(&request.body, "{\"text\":\"x\"}");
	buf_append_text(&request.mentions, "bob,*");
	struct send *send = send_new(STR("alice"), &request, STR("trace"), NULL, NULL);
	send_request_release(&request);
	assert_string_equal(send->conversation.ptr, "g:g1");
	assert_string_equal(send->sender.ptr, "alice");
	assert_string_equal(send->group.ptr, "g1");
	assert_null(send->user.ptr);
	assert_string_equal(send->client_msg_id.ptr, "k");
	assert_string_equal(send->type.ptr, "text");
	assert_string_equal(send->body.ptr, "{\"text\":\"x\"}");
	assert_string_equal(send->traceparent.ptr, "trace");
	assert_int_equal(send->reply_to, 3);
	assert_int_equal(mentions_split((char *)send->mentions.ptr, mentions), 2);
	assert_string_equal(mentions[0], "bob");
	assert_string_equal(mentions[1], "*");
	send_free(send);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_batch_is_grouped_by_conversation_and_keeps_the_order_within),
		cmocka_unit_test(a_batch_takes_no_more_than_asked_from_the_front),
		cmocka_unit_test(a_key_used_twice_is_in_two_batches),
		cmocka_unit_test(what_is_put_back_comes_first_again_in_its_order),
		cmocka_unit_test(a_send_keeps_all_that_it_was_made_of),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
