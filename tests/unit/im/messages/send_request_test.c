/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/macros.h"
#include "im/messages/send_request.h"

/* A good send; the tables below replace or add single fields of it. */
#define KEY "\"client_msg_id\":\"k1\""
#define TO "\"to\":{\"user\":\"bob\"}"
#define TO_GROUP "\"to\":{\"group\":\"g1\"}"
#define TYPE "\"type\":\"text\""
#define BODY "\"body\":{\"text\":\"hi\"}"
#define FORWARD ",\"type\":\"forward\""
#define REST "," TYPE "," BODY "}"

static void read_text(const char *text, struct send_request *request, struct json_error *error)
{
	*error = (struct json_error){ 0 };
	json_t *root = json_read(str_from(text), error);
	send_request_from_json(request, root, error);
	json_decref(root);
}

static const struct {
	const char *text, *field;
} wrong_fields[] = {
	{ "{" TO REST, "client_msg_id" },
	{ "{\"client_msg_id\":null," TO REST, "client_msg_id" },
	{ "{\"client_msg_id\":7," TO REST, "client_msg_id" },
	{ "{\"client_msg_id\":\"\"," TO REST, "client_msg_id" },
	{ "{\"client_msg_id\":\"a b\"," TO REST, "client_msg_id" },
	{ "{\"client_msg_id\":\"\xc3\xa4\"," TO REST, "client_msg_id" },
	{ "{\"client_msg_id\":\"a\\u0007\"," TO REST, "client_msg_id" },
	{ "{\"client_msg_id\":\"12345678901234567890123456789012345678901234567890123456789012345\"," TO REST,
	  "client_msg_id" },
	{ "{" KEY REST, "to" },
	{ "{" KEY ",\"to\":\"bob\"" REST, "to" },
	{ "{" KEY ",\"to\":[\"bob\"]" REST, "to" },
	{ "{" KEY ",\"to\":{}" REST, "to" },
	{ "{" KEY ",\"to\":{\"user\":null}" REST, "to" },
	{ "{" KEY ",\"to\":{\"user\":\"bob\",\"group\":\"g1\"}" REST, "to" },
	{ "{" KEY ",\"to\":{\"user\":1}" REST, "to.user" },
	{ "{" KEY ",\"to\":{\"user\":\"\"}" REST, "to.user" },
	{ "{" KEY ",\"to\":{\"user\":\"b ob\"}" REST, "to.user" },
	{ "{" KEY ",\"to\":{\"user\":\"b:ob\"}" REST, "to.user" },
	{ "{" KEY ",\"to\":{\"group\":false}" REST, "to.group" },
	{ "{" KEY ",\"to\":{\"group\":\"g/1\"}" REST, "to.group" },
	{ "{" KEY "," TO "," BODY "}", "type" },
	{ "{" KEY "," TO ",\"type\":1," BODY "}", "type" },
	{ "{" KEY "," TO ",\"type\":\"\"," BODY "}", "type" },
	{ "{" KEY "," TO ",\"type\":\"system\"," BODY "}", "type" },
	{ "{" KEY "," TO ",\"type\":\"recall\"," BODY "}", "type" },
	{ "{" KEY "," TO ",\"type\":\"Text\"," BODY "}", "type" },
	{ "{" KEY "," TO ",\"expire_s\":0" REST, "expire_s" },
	{ "{" KEY "," TO ",\"expire_s\":604801" REST, "expire_s" },
	{ "{" KEY "," TO ",\"expire_s\":1.5" REST, "expire_s" },
	{ "{" KEY "," TO ",\"expire_s\":\"1\"" REST, "expire_s" },
	{ "{" KEY "," TO ",\"forward\":{\"conversation_id\":\"g:g\",\"seqs\":[1]}" REST, "forward" },
	{ "{" KEY "," TO FORWARD "}", "forward" },
	{ "{" KEY "," TO FORWARD ",\"forward\":[]}", "forward" },
	{ "{" KEY "," TO FORWARD ",\"body\":{},\"forward\":{\"conversation_id\":\"g:g\",\"seqs\":[1]}}", "body" },
	{ "{" KEY "," TO FORWARD ",\"forward\":{\"seqs\":[1]}}", "forward.conversation_id" },
	{ "{" KEY "," TO FORWARD ",\"forward\":{\"conversation_id\":7,\"seqs\":[1]}}", "forward.conversation_id" },
	{ "{" KEY "," TO FORWARD ",\"forward\":{\"conversation_id\":\"g\",\"seqs\":[1]}}", "forward.conversation_id" },
	{ "{" KEY "," TO FORWARD ",\"forward\":{\"conversation_id\":\"r:g\",\"seqs\":[1]}}", "forward.conversation_id" },
	{ "{" KEY "," TO FORWARD ",\"forward\":{\"conversation_id\":\"g:g\"}}", "forward.seqs" },
	{ "{" KEY "," TO FORWARD ",\"forward\":{\"conversation_id\":\"g:g\",\"seqs\":1}}", "forward.seqs" },
	{ "{" KEY "," TO FORWARD ",\"forward\":{\"conversation_id\":\"g:g\",\"seqs\":[]}}", "forward.seqs" },
	{ "{" KEY "," TO FORWARD ",\"forward\":{\"conversation_id\":\"g:g\",\"seqs\":[0]}}", "forward.seqs" },
	{ "{" KEY "," TO FORWARD ",\"forward\":{\"conversation_id\":\"g:g\",\"seqs\":[1.5]}}", "forward.seqs" },
	{ "{" KEY "," TO FORWARD ",\"forward\":{\"conversation_id\":\"g:g\",\"seqs\":[\"1\"]}}", "forward.seqs" },
	{ "{" KEY "," TO "," TYPE "}", "body" },
	{ "{" KEY "," TO "," TYPE ",\"body\":\"hi\"}", "body" },
	{ "{" KEY "," TO "," TYPE ",\"body\":[]}", "body" },
	{ "{" KEY "," TO "," TYPE ",\"body\":{}}", "body.text" },
	{ "{" KEY "," TO "," TYPE ",\"body\":{\"text\":\"\"}}", "body.text" },
	{ "{" KEY "," TO "," TYPE ",\"body\":{\"text\":{}}}", "body.text" },
	{ "{" KEY "," TO ",\"reply_to\":0" REST, "reply_to" },
	{ "{" KEY "," TO ",\"reply_to\":-1" REST, "reply_to" },
	{ "{" KEY "," TO ",\"reply_to\":\"1\"" REST, "reply_to" },
	{ "{" KEY "," TO ",\"reply_to\":1.5" REST, "reply_to" },
	{ "{" KEY "," TO ",\"reply_to\":9007199254740992" REST, "reply_to" },
	{ "{" KEY "," TO ",\"mentions\":\"bob\"" REST, "mentions" },
	{ "{" KEY "," TO ",\"mentions\":[1]" REST, "mentions" },
	{ "{" KEY "," TO ",\"mentions\":[null]" REST, "mentions" },
	{ "{" KEY "," TO ",\"mentions\":[\"\"]" REST, "mentions" },
	{ "{" KEY "," TO ",\"mentions\":[\"a,b\"]" REST, "mentions" },
	{ "{" KEY "," TO ",\"mentions\":[\"*\"]" REST, "mentions" },
	{ "{" KEY "," TO_GROUP ",\"mentions\":[\"**\"]" REST, "mentions" },
	{ "[]", "" },
	{ "", "" },
	{ "{" KEY "," KEY "," TO REST, "client_msg_id" },
};

static void each_wrong_field_is_refused_by_its_name(void **state)
{
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(wrong_fields); i++) {
		struct send_request request;
		struct json_error error;
		read_text(wrong_fields[i].text, &request, &error);
		if (error.err != ERR_INVALID_ARGUMENT || strcmp(error.field, wrong_fields[i].field) != 0)
			fail_msg("%s: %s, field \"%s\", not \"%s\"", wrong_fields[i].text, err_name(error.err),
			         error.field, wrong_fields[i].field);
		assert_true(*error.detail);
		send_request_release(&request);
	}
}

static void a_good_send_is_read_as_it_was_written(void **state)
{
	struct json_error error = { 0 };
	struct send_request request;
	(void)state;

	json_t *root = json_read(STR("{\"unknown\":[1]," KEY "," TO_GROUP ",\"type\":\"custom\",\"body\":{ \"b\": 1, \"a\":[ ] },"
	                             "\"reply_to\":12,\"mentions\":[\"bob\",\"*\",\"c.d-e_f\"]}"),
	                         &error);
	send_request_from_json(&request, root, &error);
	assert_int_equal(error.err, OK);
	assert_true(str_equal(request.client_msg_id, STR("k1")));
	assert_true(str_equal(request.group, STR("g1")));
	assert_null(request.user.ptr);
	assert_true(str_equal(request.type, STR("custom")));
	assert_true(str_equal(buf_str(&request.body), STR("{\"b\":1,\"a\":[]}")));
	assert_int_equal(request.reply_to, 12);
	assert_true(str_equal(buf_str(&request.mentions), STR("bob,*,c.d-e_f")));
	send_request_release(&request);
	json_decref(root);
}

static void absent_and_empty_mentions_are_the_same(void **state)
{
	static const char *const texts[] = { "{" KEY "," TO REST, "{" KEY "," TO ",\"mentions\":[]" REST,
		                             "{" KEY "," TO ",\"mentions\":null" REST };
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct send_request request;
		struct json_error error;
		read_text(texts[i], &request, &error);
		assert_int_equal(error.err, OK);
		assert_int_equal(request.mentions.len, 0);
		send_request_release(&request);
	}
}

static void fifty_mentions_are_the_most(void **state)
{
	(void)state;

	for (int count = 50; count <= 51; count++) {
		struct buf text = { 0 };
		struct json_error error;
		struct send_request request;
		buf_append_text(&text, "{" KEY "," TO ",\"mentions\":[");
		for (int i = 0; i < count; i++)
			buf_printf(&text, "%s\"user%d\"", i ? "," : "", i);
		buf_append_text(&text, "]" REST);
		read_text(buf_text(&text), &request, &error);
		assert_int_equal(error.err, count == 50 ? OK : ERR_INVALID_ARGUMENT);
		assert_string_equal(error.field, count == 50 ? "" : "mentions");
		send_request_release(&request);
		buf_release(&text);
	}
}

static Skein__V1__SendRequest good_message(void)
{
	Skein__V1__SendRequest message = SKEIN__V1__SEND_REQUEST__INIT;

	message.from = (char *)"alice";
	message.client_msg_id = (char *)"k1";
	message.to_user = (char *)"bob";
	message.type = (char *)"text";
	message.body = (char *)"{\"text\":\"hi\"}";
	return message;
}

static void check_proto(const Skein__V1__SendRequest *message, err_t err, const char *field)
{
	struct json_error error = { 0 };
	struct send_request request;

	send_request_from_proto(&request, message, 100, &error);
	assert_int_equal(error.err, err);
	assert_string_equal(error.field, field);
	send_request_release(&request);
}

static void protobuf_is_checked_like_json(void **state)
{
	char *mention = (char *)"not valid", *too_many[51];
	Skein__V1__SendRequest message = good_message();
	char long_body[200] = "";
	(void)state;

	check_proto(&message, OK, "");
	message.client_msg_id = (char *)"";
	check_proto(&message, ERR_INVALID_ARGUMENT, "client_msg_id");
	message = good_message();
	message.to_user = (char *)"";
	check_proto(&message, ERR_INVALID_ARGUMENT, "to");
	message.to_group = (char *)"g 1";
	check_proto(&message, ERR_INVALID_ARGUMENT, "to.group");
	message = good_message();
	message.to_group = (char *)"g1";
	check_proto(&message, ERR_INVALID_ARGUMENT, "to");
	message = good_message();
	message.type = (char *)"edit";
	check_proto(&message, ERR_INVALID_ARGUMENT, "type");
	message = good_message();
	message.body = (char *)"";
	check_proto(&message, ERR_INVALID_ARGUMENT, "body");
	message.body = (char *)"{\"text\":\"a\",\"text\":\"b\"}";
	check_proto(&message, ERR_INVALID_ARGUMENT, "body");
	message.body = (char *)"{\"text\":1}";
	check_proto(&message, ERR_INVALID_ARGUMENT, "body.text");
	memset(long_body, ' ', sizeof(long_body) - 1);
	message.body = long_body;
	check_proto(&message, ERR_TOO_LARGE, "body");
	message = good_message();
	message.reply_to = UINT64_MAX;
	check_proto(&message, ERR_INVALID_ARGUMENT, "reply_to");
	message = good_message();
	message.mentions = &mention;
	message.n_mentions = 1;
	check_proto(&message, ERR_INVALID_ARGUMENT, "mentions");
	for (size_t i = 0; i < ARRAY_LEN(too_many); i++)
		too_many[i] = (char *)"bob";
	message.mentions = too_many;
	message.n_mentions = ARRAY_LEN(too_many);
	check_proto(&message, ERR_INVALID_ARGUMENT, "mentions");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_wrong_field_is_refused_by_its_name),
		cmocka_unit_test(a_good_send_is_read_as_it_was_written),
		cmocka_unit_test(absent_and_empty_mentions_are_the_same),
		cmocka_unit_test(fifty_mentions_are_the_most),
		cmocka_unit_test(protobuf_is_checked_like_json),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
