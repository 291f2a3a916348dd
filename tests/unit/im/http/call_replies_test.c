/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/macros.h"
#include "im/http/call_replies.h"

#include "call_rig.h"

#define PAGE_MAX 6

/* Up to PAGE_MAX messages: what each replies to, and in which conversation. A handler answers them as a page. */
static struct {
	uint64_t reply_to[PAGE_MAX];
	const char *conversations[PAGE_MAX];
	size_t count;
} page;

static void handle_page(struct call *call)
{
	struct buf *out = call_out(call);

	call_read_replies(call, PAGE_MAX);
	if (!call_finish_reading(call))
		return;
	buf_append_char(out, '[');
	for (size_t i = 0; i < page.count; i++) {
		char id[8];

		buf_printf(out, "%s{\"m\":{\"n\":%zu}", i ? "," : "", i);
		(void)str_copy(id, sizeof(id), str_from(page.conversations[i] ? page.conversations[i] : "u:a:b"));
		call_add_reply(call, str_from(id), page.reply_to[i]);
		memset(id, 'x', sizeof(id)); /* it was copied */
		buf_append_char(out, '}');
	}
	buf_append_char(out, ']');
	call_ok_with_replies(call);
}

static const struct call_route rows[] = {
	{ "GET", "/page", CALL_USER, RATE_NONE, handle_page, CALL_RIG_CONTEXT },
};

static int setup(void **state)
{
	(void)state;

	page.count = 0;
	memset(page.conversations, 0, sizeof(page.conversations));
	call_rig_start(rows, ARRAY_LEN(rows));
	return 0;
}

static void add(uint64_t reply_to, const char *conversation)
{
	page.conversations[page.count] = conversation;
	page.reply_to[page.count++] = reply_to;
}

static struct http_request *ask(const char *replies)
{
	struct http_request request = { .authorization = call_rig_token(false) };

	if (replies) {
		request.query[0][0] = "replies";
		request.query[0][1] = replies;
	}
	return call_rig_ask("/page", request);
}

/* PostgreSQL finds none of the messages that the page replies to. */
static void answer_nothing(void)
{
	assert_string_equal(call_rig_asked.statement->name, "replied_to");
	call_rig_answer_query(OK, PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK));
}

static void without_the_parameter_nothing_is_asked_and_nothing_added(void **state)
{
	static const char *const values[] = { NULL, "false" };
	(void)state;

	add(1, NULL);
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		struct http_request *request = ask(values[i]);

		assert_int_equal(request->status, 200);
		assert_string_equal(request->answer, "[{\"m\":{\"n\":0}}]");
	}
}

static void a_page_without_replies_asks_nothing(void **state)
{
	(void)state;

	assert_string_equal(ask("true")->answer, "[]");
	add(0, NULL);
	assert_string_equal(ask("true")->answer, "[{\"m\":{\"n\":0}}]");
}

static void each_message_gets_its_reply_at_its_end(void **state)
{
	(void)state;

	add(7, NULL);
	add(0, NULL);
	add(8, NULL);
	add(7, "g:x");
	struct http_request *request = ask("true");
	assert_int_equal(request->status, 0);
	answer_nothing();
	assert_int_equal(request->status, 200);
	assert_string_equal(request->answer,
	                    "[{\"m\":{\"n\":0,\"reply\":{\"seq\":7}}},{\"m\":{\"n\":1}},"
	                    "{\"m\":{\"n\":2,\"reply\":{\"seq\":8}}},{\"m\":{\"n\":3,\"reply\":{\"seq\":7}}}]");
}

static void a_full_page_of_replies_fits(void **state)
{
	(void)state;

	for (uint64_t i = 0; i < PAGE_MAX; i++)
		add(UINT64_C(9007199254740991) - i, NULL);
	struct http_request *request = ask("true");
	answer_nothing();
	assert_int_equal(request->status, 200);
	assert_non_null(strstr(call_rig_answer, "{\"n\":5,\"reply\":{\"seq\":9007199254740986}}}]"));
}

static void without_postgresql_it_is_503(void **state)
{
	(void)state;

	add(1, NULL);
	struct http_request *request = ask("true");
	call_rig_answer_query(ERR_UNAVAILABLE, NULL);
	assert_int_equal(request->status, 503);
	assert_problem(request, ERR_UNAVAILABLE, "");
}

static void another_value_is_refused(void **state)
{
	static const char *const values[] = { "", "1", "TRUE", "true " };
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(values); i++)
		assert_problem(ask(values[i]), ERR_INVALID_ARGUMENT, "replies");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(without_the_parameter_nothing_is_asked_and_nothing_added, setup, call_rig_stop),
		cmocka_unit_test_setup_teardown(a_page_without_replies_asks_nothing, setup, call_rig_stop),
		cmocka_unit_test_setup_teardown(each_message_gets_its_reply_at_its_end, setup, call_rig_stop),
		cmocka_unit_test_setup_teardown(a_full_page_of_replies_fits, setup, call_rig_stop),
		cmocka_unit_test_setup_teardown(without_postgresql_it_is_503, setup, call_rig_stop),
		cmocka_unit_test_setup_teardown(another_value_is_refused, setup, call_rig_stop),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
