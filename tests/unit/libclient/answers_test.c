#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "base/text/buf.h"
#include "base/mem.h"
#include "libclient/answers.h"

#define MESSAGE(seq) \
	"{\"conversation_id\":\"u:alice:bob\",\"seq\":" #seq \
	",\"msg_id\":\"1\",\"from\":\"bob\",\"type\":\"text\",\"body\":{},\"time\":5}"

static unsigned drop(struct list *items)
{
	unsigned count = 0;

	for (struct list *link; (link = list_pop_front(items)); count++)
		delivery_let_go(container_of(link, struct inbox_item, link));
	return count;
}

static void a_message_without_a_required_field_is_refused(void **state)
{
	static const char *const texts[] = {
		"{}",
		"{\"conversation_id\":\"u:alice:bob\",\"seq\":0,\"msg_id\":\"1\",\"from\":\"bob\",\"type\":\"text\",\"time\":5}",
		"{\"conversation_id\":\"u:alice:bob\",\"seq\":-1,\"msg_id\":\"1\",\"from\":\"bob\",\"type\":\"text\",\"time\":5}",
		"{\"conversation_id\":\"u:alice:bob\",\"seq\":\"1\",\"msg_id\":\"1\",\"from\":\"bob\",\"type\":\"text\",\"time\":5}",
		"{\"conversation_id\":\"alice\",\"seq\":1,\"msg_id\":\"1\",\"from\":\"bob\",\"type\":\"text\",\"time\":5}",
		"{\"conversation_id\":\"u:alice:bob\",\"seq\":1,\"from\":\"bob\",\"type\":\"text\",\"time\":5}",
		"{\"conversation_id\":\"u:alice:bob\",\"seq\":1,\"msg_id\":\"1\",\"type\":\"text\",\"time\":5}",
		"{\"conversation_id\":\"u:alice:bob\",\"seq\":1,\"msg_id\":\"1\",\"from\":\"bob\",\"time\":5}",
		"{\"conversation_id\":\"u:alice:bob\",\"seq\":1,\"msg_id\":\"1\",\"from\":\"bob\",\"type\":\"text\",\"time\":\"5\"}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		json_t *root = answer_read(str_from(texts[i]));

		assert_non_null(root);
		assert_null(delivery_new(root, 1, 0));
		json_decref(root);
	}
	json_t *root = answer_read(STR(MESSAGE(7)));
	struct delivery *delivery = delivery_new(root, 42, 0);
	json_decref(root);
	assert_int_equal(delivery->item.seq, 7);
	assert_string_equal(delivery->message.conversation_id, "u:alice:bob");
	delivery_free(delivery);
}

static bool page_of(const char *text, struct inbox_page *page)
{
	json_t *root = answer_read(str_from(text));
	struct inbox_mark *marks;
	bool is_good = answer_page(root, page, &marks);

	mem_free(marks);
	json_decref(root);
	return is_good;
}

static void an_invalid_page_is_refused_and_leaves_nothing_allocated(void **state)
{
	static const char *const texts[] = {
		"{}",
		"{\"epoch\":\"e\"}",
		"{\"epoch\":\"\",\"next_offset\":\"1\"}",
		"{\"epoch\":\"0123456789abcdef\",\"next_offset\":\"1\"}",
		"{\"epoch\":\"a&b\",\"next_offset\":\"1\"}",
		"{\"epoch\":\"e\",\"next_offset\":1}",
		"{\"epoch\":\"e\",\"next_offset\":\"-1\"}",
		"{\"epoch\":\"e\",\"next_offset\":\"18446744073709551615\"}",
		"{\"epoch\":\"e\",\"next_offset\":\"2\",\"messages\":[{\"offset\":\"1\",\"message\":" MESSAGE(
			1) "},{\"offset\":\"2\"}]}",
		"{\"epoch\":\"e\",\"next_offset\":\"2\",\"messages\":[{\"offset\":\"3\",\"message\":" MESSAGE(1) "}]}",
		"{\"epoch\":\"e\",\"next_offset\":\"2\",\"messages\":[{\"message\":" MESSAGE(1) "}]}",
		"{\"epoch\":\"e\",\"next_offset\":\"2\",\"hot\":[{\"conversation_id\":\"g:1\"}]}",
		"{\"epoch\":\"e\",\"next_offset\":\"2\",\"reset\":true,\"conversations\":[{\"conversation_id\":\"1\",\"last_seq\":1}]}",
	};
	struct inbox_page page;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		assert_false(page_of(texts[i], &page));
		assert_true(list_is_empty(&page.items));
	}
}

static void a_page_is_read_with_its_messages_or_its_conversations(void **state)
{
	struct inbox_page page;

	(void)state;
	assert_true(page_of(
		"{\"epoch\":\"e\",\"head\":\"9\",\"next_offset\":\"2\",\"more\":true,\"reset\":false,\"hot\":[],"
		"\"messages\":[{\"offset\":\"1\",\"message\":" MESSAGE(1) "},{\"offset\":\"2\",\"message\":" MESSAGE(
			2) "}]}",
		&page));
	assert_true(page.has_more);
	assert_int_equal(page.end.offset, 2);
	assert_int_equal(drop(&page.items), 2);
	assert_true(page_of("{\"epoch\":\"e\",\"next_offset\":\"9\",\"more\":false,\"reset\":true,\"messages\":[],\"hot\":[],"
	                    "\"conversations\":[{\"conversation_id\":\"g:1\",\"last_seq\":4,\"read_seq\":0}]}",
	                    &page));
	assert_true(page.is_reset);
	assert_int_equal(page.mark_count, 1);
}

static bool history_of(const char *text, struct list *items, bool *is_last)
{
	json_t *root = answer_read(str_from(text));
	bool is_good = answer_history(root, STR("u:alice:bob"), items, is_last);

	json_decref(root);
	return is_good;
}

static void history_has_messages_of_its_conversation_with_rising_seqs(void **state)
{
	struct list items;
	bool is_last;

	(void)state;
	assert_true(history_of("{\"messages\":[" MESSAGE(1) "," MESSAGE(2) "],\"next_cursor\":\"2\"}", &items, &is_last));
	assert_false(is_last);
	assert_int_equal(drop(&items), 2);
	assert_true(history_of("{\"messages\":[]}", &items, &is_last));
	assert_true(is_last);
	assert_false(history_of("{\"messages\":[" MESSAGE(2) "," MESSAGE(2) "]}", &items, &is_last));
	assert_false(history_of(
		"{\"messages\":[{\"conversation_id\":\"g:1\",\"seq\":3,\"msg_id\":\"1\",\"from\":\"b\",\"type\":\"text\",\"time\":5}]}",
		&items, &is_last));
	assert_false(history_of("{}", &items, &is_last));
	assert_true(list_is_empty(&items));
}

static void a_message_that_is_nested_as_deep_as_the_server_takes_it_is_read_in_a_page(void **state)
{
	struct buf text = { 0 };
	struct list items;
	bool is_last;

	(void)state;
	buf_append_text(&text, "{\"messages\":[{\"conversation_id\":\"u:alice:bob\",\"seq\":1,\"msg_id\":\"1\",\"from\":\"b\","
	                       "\"type\":\"custom\",\"time\":5,\"body\":{\"x\":");
	for (int i = 0; i < 40; i++)
		buf_append_char(&text, '[');
	for (int i = 0; i < 40; i++)
		buf_append_char(&text, ']');
	buf_append_text(&text, "}}]}");
	assert_true(history_of(buf_text(&text), &items, &is_last));
	drop(&items);
	buf_release(&text);
}

static bool endpoints_of(const char *text, struct answer_endpoints *endpoints)
{
	json_t *root = answer_read(str_from(text));
	bool is_good = answer_endpoints(root, endpoints);

	json_decref(root);
	return is_good;
}

static void endpoints_are_websocket_urls(void **state)
{
	struct answer_endpoints endpoints;

	(void)state;
	assert_true(endpoints_of(
		"{\"gateways\":[{\"url\":\"wss://a/ws\",\"node\":\"g\"}],\"retry\":{\"min_ms\":1,\"max_ms\":2}}",
		&endpoints));
	assert_int_equal(endpoints.count, 1);
	assert_int_equal(endpoints.retry_max_ms, 2);
	assert_false(endpoints_of("{\"gateways\":[{\"url\":\"file:///etc\"}],\"retry\":{\"min_ms\":1,\"max_ms\":2}}", &endpoints));
	assert_false(endpoints_of("{\"gateways\":[]}", &endpoints));
	assert_false(endpoints_of("{\"retry\":{\"min_ms\":1,\"max_ms\":2}}", &endpoints));
}

static const struct inbox_rules rules = { .max_held = 1, .max_held_bytes = 1, .max_untaken = 1, .max_conversations = 9 };

static void a_state_that_is_written_is_read_as_it_was(void **state)
{
	struct inbox one, other;

	(void)state;
	inbox_init(&one, &rules);
	inbox_restore(&one, &(struct inbox_position){ "0f3c", 41 }, true);
	inbox_restore_conversation(&one, STR("u:alice:bob"), 7);
	inbox_restore_conversation(&one, STR("g:1"), 9);
	char *text = state_write(&one);
	inbox_init(&other, &rules);
	assert_true(state_read(&other, text));
	assert_string_equal(other.at.epoch, "0f3c");
	assert_int_equal(other.at.offset, 41);
	assert_true(other.knows_hot);
	char *again = state_write(&other);
	assert_string_equal(text, again);
	free(text);
	free(again);
	inbox_release(&one);
	inbox_release(&other);
}

static void a_malformed_state_is_refused(void **state)
{
	static const char *const texts[] = {
		"x",
		"[]",
		"{}",
		"{\"conversations\":[]}",
		"{\"conversations\":{\"g:1\":-1}}",
		"{\"conversations\":{\"g:1\":\"1\"}}",
		"{\"conversations\":{\"\":1}}",
		"{\"conversations\":{},\"epoch\":\"e\",\"offset\":5}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct inbox inbox;

		inbox_init(&inbox, &rules);
		assert_false(state_read(&inbox, texts[i]));
		inbox_release(&inbox);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_without_a_required_field_is_refused),
		cmocka_unit_test(an_invalid_page_is_refused_and_leaves_nothing_allocated),
		cmocka_unit_test(a_page_is_read_with_its_messages_or_its_conversations),
		cmocka_unit_test(history_has_messages_of_its_conversation_with_rising_seqs),
		cmocka_unit_test(a_message_that_is_nested_as_deep_as_the_server_takes_it_is_read_in_a_page),
		cmocka_unit_test(endpoints_are_websocket_urls),
		cmocka_unit_test(a_state_that_is_written_is_read_as_it_was),
		cmocka_unit_test(a_malformed_state_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
