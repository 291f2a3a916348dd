/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "im/entries/batch_queue.h"
#include "im/messages/send_entry.h"

static void a_send_has_copies_of_all_its_fields(void **state)
{
	struct send_request request = {
		.client_msg_id = STR("k"),
		.group = STR("g1"),
		.type = STR("text"),
		.reply_to = 3,
	};
	const struct entry_caller caller = { .uid = STR("alice"), .traceparent = STR("trace") };
	(void)state;

	buf_append_text(&request.body, "{\"text\":\"x\"}");
	buf_append_text(&request.mentions, "bob,*");
	struct entry *entry = send_entry_new(&request, &caller, false);
	const struct send *send = container_of(entry, struct send, entry);
	send_request_release(&request);
	assert_string_equal(entry->conversation.ptr, "g:g1");
	assert_string_equal(entry->traceparent.ptr, "trace");
	assert_string_equal(send->sender.ptr, "alice");
	assert_string_equal(send->group.ptr, "g1");
	assert_null(send->user.ptr);
	assert_string_equal(send->client_msg_id.ptr, "k");
	assert_string_equal(send->type.ptr, "text");
	assert_string_equal(send->body.ptr, "{\"text\":\"x\"}");
	assert_string_equal(send->mentions.ptr, "bob,*");
	assert_int_equal(send->reply_to, 3);
	entry_free(entry);
}

static void a_message_without_mentions_has_none(void **state)
{
	struct send_request request = { .client_msg_id = STR("k"), .user = STR("bob"), .type = STR("text") };
	(void)state;

	buf_append_text(&request.body, "{}");
	struct entry *entry = send_entry_new(&request, &(struct entry_caller){ .uid = STR("alice") }, false);
	send_request_release(&request);
	assert_string_equal(entry->conversation.ptr, "u:alice:bob");
	assert_null(container_of(entry, struct send, entry)->mentions.ptr);
	entry_free(entry);
}

/* The buffer grows by doubling, so memory that still has the size of the first reservation was allocated once. */
static void the_parameters_of_a_batch_are_allocated_once(void **state)
{
	static struct batch batch;
	struct pg_params params = { 0 };
	size_t texts = 0;
	(void)state;

	batch.conversation_count = 1;
	for (batch.len = 0; batch.len < BATCH_MAX; batch.len++) {
		struct send_request request = { .client_msg_id = STR("k"), .user = STR("bob"), .type = STR("text"), .reply_to = 1 };
		for (unsigned i = 0; i < batch.len; i++)
			buf_append_char(&request.body, 'b');
		batch.entries[batch.len] = send_entry_new(&request, &(struct entry_caller){ .uid = STR("alice") }, false);
		texts += batch.entries[batch.len]->record_size;
		send_request_release(&request);
	}
	batch.conversations[0] = batch.entries[0]->conversation;
	batch.entries[0]->kind->put(&params, &batch);
	assert_in_range(params.bytes.cap, params.bytes.len, texts + 1024 + BATCH_MAX * 80);
	pg_params_release(&params);
	for (unsigned i = 0; i < batch.len; i++)
		entry_free(batch.entries[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_send_has_copies_of_all_its_fields),
		cmocka_unit_test(a_message_without_mentions_has_none),
		cmocka_unit_test(the_parameters_of_a_batch_are_allocated_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
