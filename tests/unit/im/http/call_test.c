/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/macros.h"
#include "base/text/ident.h"
#include "im/http/call_entry.h"
#include "im/http/page.h"

#include "call_rig.h"

static PGresult *verdict_of(const char *verdict, const char *detail)
{
	return call_rig_row(2, (const char *const[]){ "verdict", "detail" }, (const char *const[]){ verdict, detail });
}

static void on_rows(struct call *call, const PGresult *result)
{
	buf_append_str(call_out(call), pg_text(result, 0, PQnfields(result) - 1));
	call_ok(call, 201);
}

static const struct pg_statement statement = { "test_statement", "select 1" };
static const struct call_reason reasons[] = {
	{ ERR_NOT_FOUND, "gid", "there is no such group" },
	{ .err = OK },
};

/* Reads one of everything. */
static void handle_read(struct call *call)
{
	static const char *const colours[] = { "red", "green", NULL };
	struct pg_params params = { 0 };

	pg_put_text(&params, call_path_ident(call, "gid"));
	pg_put_text(&params, call_ident(call, "uid", JSON_REQUIRED));
	pg_put_text(&params, call_name(call, "name", JSON_OPTIONAL));
	pg_put_i64(&params, call_int(call, "age", JSON_OPTIONAL, 1, 150));
	pg_put_bool(&params, call_bool(call, "old", JSON_OPTIONAL));
	pg_put_text(&params, str_from(call_choice(call, "colour", JSON_OPTIONAL, colours)));
	struct ident_list friends = call_ident_list(call, "friends", JSON_OPTIONAL, 3);
	ident_list_put(&params, &friends);
	pg_put_i64(&params, call_query_int(call, "limit", 7, 1, 9));
	pg_put_text(&params, call_query_ident(call, "room"));
	call_explain(call, reasons);
	call_query(call, &statement, &params, on_rows);
}

static void handle_page(struct call *call)
{
	struct page page;

	call_page(call, &page);
	if (!call_finish_reading(call))
		return;
	buf_printf(call_out(call), "%u %.*s", page.limit, STR_ARG(page.after));
	call_ok(call, 200);
}

static const struct call_route rows[] = {
	{ "PUT", "/groups/{gid}/x", CALL_ANYONE, RATE_NONE, handle_read, CALL_RIG_CONTEXT },
	{ "GET", "/page", CALL_ANYONE, RATE_NONE, handle_page, CALL_RIG_CONTEXT },
};

static int setup(void **state)
{
	(void)state;

	call_rig_start(rows, ARRAY_LEN(rows));
	return 0;
}

/* ---- reading ---- */

static void correct_fields_go_into_the_statement(void **state)
{
	(void)state;

	const struct http_request *request = call_rig_ask(
		"/groups/{gid}/x",
		(struct http_request){
			.param = "g1",
			.query = { { "limit", "9" }, { "room", "lobby" } },
			.body = "{\"uid\":\"bob\",\"name\":\"Bob\",\"age\":7,\"old\":true,\"colour\":\"green\",\"friends\":[\"a\",\"b\"]}" });
	assert_int_equal(request->status, 0);
	assert_ptr_equal(call_rig_asked.statement, &statement);
	assert_int_equal(call_rig_asked.params, 9);
	call_rig_answer_query(OK, call_rig_row(1, (const char *const[]){ "name" }, (const char *const[]){ "stored" }));
	assert_int_equal(request->status, 201);
	assert_string_equal(request->answer, "stored");
}

static void absent_optional_fields_have_their_defaults(void **state)
{
	(void)state;

	call_rig_ask("/groups/{gid}/x", (struct http_request){ .param = "g1", .body = "{\"uid\":\"bob\",\"colour\":null}" });
	assert_ptr_equal(call_rig_asked.statement, &statement);
	call_rig_answer_query(OK, call_rig_row(1, (const char *const[]){ "name" }, (const char *const[]){ "x" }));
}

static void the_first_wrong_field_is_named_and_no_statement_runs(void **state)
{
	static const struct {
		const char *param, *body, *query, *field;
	} cases[] = {
		{ "a b", "{}", NULL, "gid" },
		{ "", "{}", NULL, "gid" },
		{ "g", "{}", NULL, "uid" },
		{ "g", "{\"uid\":1,\"age\":0}", NULL, "uid" },
		{ "g", "{\"uid\":\"a\",\"name\":\"\",\"age\":0}", NULL, "name" },
		{ "g", "{\"uid\":\"a\",\"age\":0,\"old\":1}", NULL, "age" },
		{ "g", "{\"uid\":\"a\",\"age\":\"1\"}", NULL, "age" },
		{ "g", "{\"uid\":\"a\",\"old\":1,\"colour\":\"blue\"}", NULL, "old" },
		{ "g", "{\"uid\":\"a\",\"colour\":\"blue\"}", NULL, "colour" },
		{ "g", "{\"uid\":\"a\",\"colour\":1}", NULL, "colour" },
		{ "g", "{\"uid\":\"a\",\"friends\":[\"a\",\"b\",\"c\",\"d\"]}", NULL, "friends" },
		{ "g", "{\"uid\":\"a\",\"friends\":[\"a\",1]}", NULL, "friends" },
		{ "g", "{\"uid\":\"a\",\"friends\":[\"\"]}", NULL, "friends" },
		{ "g", "{\"uid\":\"a\"}", "0", "limit" },
		{ "g", "{\"uid\":\"a\"}", "10", "limit" },
		{ "g", "{\"uid\":\"a\"}", "x", "limit" },
		{ "g", "[]", NULL, "" },
		{ "g", "", NULL, "" },
		{ "g", "{\"uid\":\"a\"", NULL, "" },
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct http_request wrong = { .param = cases[i].param, .body = cases[i].body };
		if (cases[i].query) {
			wrong.query[0][0] = "limit";
			wrong.query[0][1] = cases[i].query;
		}
		const struct http_request *request = call_rig_ask("/groups/{gid}/x", wrong);
		assert_problem(request, ERR_INVALID_ARGUMENT, cases[i].field);
		assert_non_null(strstr(request->detail, cases[i].field));
		assert_null(call_rig_asked.statement);
	}
}

static void a_page_has_a_default_limit_and_a_checked_cursor(void **state)
{
	(void)state;

	assert_string_equal(call_rig_ask("/page", (struct http_request){ 0 })->answer, "50 ");
	assert_string_equal(
		call_rig_ask("/page", (struct http_request){ .query = { { "limit", "200" }, { "cursor", "dTI" } } })->answer,
		"200 u2");
	assert_problem(call_rig_ask("/page", (struct http_request){ .query = { { "limit", "201" } } }),
	               ERR_INVALID_ARGUMENT, "limit");
	assert_problem(call_rig_ask("/page", (struct http_request){ .query = { { "cursor", "" } } }),
	               ERR_INVALID_ARGUMENT, "cursor");
	assert_problem(call_rig_ask("/page", (struct http_request){ .query = { { "cursor", "dT" } } }),
	               ERR_INVALID_ARGUMENT, "cursor");
}

/* ---- answers of PostgreSQL ---- */

static const struct http_request *ask_right(void)
{
	return call_rig_ask("/groups/{gid}/x", (struct http_request){ .param = "g1", .body = "{\"uid\":\"bob\"}" });
}

static void a_statement_that_fails_is_503_or_409(void **state)
{
	static const err_t errors[] = { ERR_UNAVAILABLE, ERR_OUTCOME_UNKNOWN, ERR_INTERNAL };
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
		const struct http_request *request = ask_right();
		call_rig_answer_query(errors[i], NULL);
		assert_problem(request, ERR_UNAVAILABLE, "");
	}
	const struct http_request *request = ask_right();
	call_rig_answer_query(ERR_ALREADY_EXISTS, NULL);
	assert_problem(request, ERR_ALREADY_EXISTS, "");
}

static void a_verdict_is_answered_by_its_code_and_reason(void **state)
{
	(void)state;

	const struct http_request *request = ask_right();
	call_rig_answer_query(OK, verdict_of("not_found", NULL));
	assert_problem(request, ERR_NOT_FOUND, "gid");
	assert_string_equal(request->detail, "there is no such group");

	request = ask_right();
	call_rig_answer_query(OK, verdict_of("not_found", "there is no user x"));
	assert_string_equal(request->detail, "there is no user x");

	request = ask_right();
	call_rig_answer_query(OK, verdict_of("not_member", NULL));
	assert_problem(request, ERR_NOT_MEMBER, "");

	request = ask_right();
	call_rig_answer_query(OK, verdict_of("ok", "shown"));
	assert_string_equal(request->answer, "shown");
}

static void a_verdict_that_nobody_knows_or_that_is_missing_is_503(void **state)
{
	(void)state;

	const struct http_request *request = ask_right();
	call_rig_answer_query(OK, verdict_of("no such code", NULL));
	assert_int_equal(request->status, 503);

	request = ask_right();
	PGresult *result = verdict_of("ok", NULL), *empty = PQcopyResult(result, PG_COPYRES_ATTRS);
	PQclear(result);
	call_rig_answer_query(OK, empty);
	assert_int_equal(request->status, 503);
}

/* The buffer grows by doubling: memory of this size was allocated once. */
static void the_answer_to_an_entry_is_allocated_once(void **state)
{
	char id[CONVERSATION_ID_MAX];
	const struct entry_result result = {
		.conversation_id = str_of(id, sizeof(id)), .msg_id = UINT64_MAX, .seq = INT64_MAX, .time = INT64_MAX,
	};
	struct buf out = { 0 };
	(void)state;

	memset(id, 'x', sizeof(id));
	entry_result_put(&out, &result);
	assert_in_range(out.cap, out.len, sizeof(id) + 160);
	buf_release(&out);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, call_rig_stop)
	const struct CMUnitTest tests[] = {
		TEST(correct_fields_go_into_the_statement),
		TEST(absent_optional_fields_have_their_defaults),
		TEST(the_first_wrong_field_is_named_and_no_statement_runs),
		TEST(a_page_has_a_default_limit_and_a_checked_cursor),
		TEST(a_statement_that_fails_is_503_or_409),
		TEST(a_verdict_is_answered_by_its_code_and_reason),
		TEST(a_verdict_that_nobody_knows_or_that_is_missing_is_503),
		TEST(the_answer_to_an_entry_is_allocated_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
