#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "message/message_expiry.h"
#include "message/message_json.h"

static void expect(const Skein__V1__Message *message, const char *json)
{
	struct buf out = { 0 };

	message_json(&out, message);
	assert_string_equal(buf_text(&out), json);
	buf_release(&out);
}

static Skein__V1__Message plain_message(void)
{
	Skein__V1__Message message = SKEIN__V1__MESSAGE__INIT;

	message.conversation_id = (char *)"u:alice:bob";
	message.seq = 7;
	message.msg_id = 123456789012345678;
	message.from = (char *)"alice";
	message.type = (char *)"text";
	message.body = (char *)"{\"text\":\"hi\"}";
	message.time = 1700000000000;
	return message;
}

static void members_that_are_not_set_are_left_out(void **state)
{
	Skein__V1__Message message = plain_message();
	(void)state;

	expect(&message, "{\"conversation_id\":\"u:alice:bob\",\"seq\":7,\"msg_id\":\"123456789012345678\",\"from\":\"alice\","
	                 "\"type\":\"text\",\"body\":{\"text\":\"hi\"},\"time\":1700000000000}");
}

static void all_members_are_written_in_their_order(void **state)
{
	char *mentions[] = { (char *)"bob", (char *)"carol" };
	Skein__V1__Message message = plain_message();
	(void)state;

	message.reply_to = 3;
	message.mentions = mentions;
	message.n_mentions = 2;
	message.edited = message.recalled = message.expired = true;
	message.expires_at = 1700000060000;
	message.target_seq = 5;
	message.op = (char *)"add";
	message.emoji = (char *)"\xf0\x9f\x91\x8d";
	message.client_msg_id = (char *)"a \"quoted\" id";
	expect(&message,
	       "{\"conversation_id\":\"u:alice:bob\",\"seq\":7,\"msg_id\":\"123456789012345678\",\"from\":\"alice\","
	       "\"type\":\"text\",\"body\":{\"text\":\"hi\"},\"time\":1700000000000,\"reply_to\":3,"
	       "\"mentions\":[\"bob\",\"carol\"],\"edited\":true,\"recalled\":true,\"expires_at\":1700000060000,\"expired\":true,"
	       "\"target_seq\":5,\"op\":\"add\","
	       "\"emoji\":\"\xf0\x9f\x91\x8d\",\"client_msg_id\":\"a \\\"quoted\\\" id\"}");
}

static void reactions_are_written_in_their_order(void **state)
{
	Skein__V1__Reaction up = SKEIN__V1__REACTION__INIT, quote = SKEIN__V1__REACTION__INIT;
	Skein__V1__Reaction *reactions[] = { &up, &quote };
	Skein__V1__Message message = plain_message();
	struct buf out = { 0 };
	(void)state;

	up.emoji = (char *)"\xf0\x9f\x91\x8d";
	up.count = 10000;
	up.mine = true;
	quote.emoji = (char *)"\"";
	quote.count = 1;
	message.reactions = reactions;
	message.n_reactions = 2;
	message_json(&out, &message);
	assert_non_null(strstr(buf_text(&out), "\"reactions\":[{\"emoji\":\"\xf0\x9f\x91\x8d\",\"count\":10000,\"mine\":true},"
	                                       "{\"emoji\":\"\\\"\",\"count\":1,\"mine\":false}]"));
	buf_release(&out);
}

static void a_message_without_a_body_has_no_body(void **state)
{
	Skein__V1__Message message = plain_message();
	struct buf out = { 0 };
	(void)state;

	message.body = (char *)"";
	message_json(&out, &message);
	assert_null(strstr(buf_text(&out), "\"body\""));
	buf_release(&out);
}

static void from_expires_at_on_a_message_has_no_body(void **state)
{
	Skein__V1__Message message = plain_message();
	(void)state;

	assert_false(message_expire(&message, UINT64_MAX)); /* it never does */
	message.expires_at = 1700000060000;
	assert_false(message_expire(&message, 1700000059999));
	assert_string_equal(message.body, "{\"text\":\"hi\"}");
	assert_false(message.expired);
	assert_true(message_expire(&message, 1700000060000));
	assert_string_equal(message.body, "");
	assert_true(message.expired);
}

static void the_edit_of_an_expired_message_has_no_body_and_is_not_expired_itself(void **state)
{
	Skein__V1__Message message = plain_message();
	(void)state;

	message.type = (char *)"edit";
	message.expires_at = 1700000060000;
	assert_true(message_expire(&message, 1700000060000));
	assert_string_equal(message.body, "");
	assert_false(message.expired);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_that_are_not_set_are_left_out),
		cmocka_unit_test(all_members_are_written_in_their_order),
		cmocka_unit_test(reactions_are_written_in_their_order),
		cmocka_unit_test(a_message_without_a_body_has_no_body),
		cmocka_unit_test(from_expires_at_on_a_message_has_no_body),
		cmocka_unit_test(the_edit_of_an_expired_message_has_no_body_and_is_not_expired_itself),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
