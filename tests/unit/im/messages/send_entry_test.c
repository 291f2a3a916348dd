/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

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
	struct entry *entry = send_entry_new(&request, &caller);
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
	struct entry *entry = send_entry_new(&request, &(struct entry_caller){ .uid = STR("alice") });
	send_request_release(&request);
	assert_string_equal(entry->conversation.ptr, "u:alice:bob");
	assert_null(container_of(entry, struct send, entry)->mentions.ptr);
	entry_free(entry);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_send_has_copies_of_all_its_fields),
		cmocka_unit_test(a_message_without_mentions_has_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
