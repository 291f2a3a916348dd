/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/macros.h"

#include "call_rig.h"

static unsigned handled;

static void handle_ok(struct call *call)
{
	handled++;
	assert_ptr_equal(call_context(call), call_rig.context);
	buf_append_str(call_out(call), call_uid(call));
	call_ok(call, 200);
}

static void handle_login(struct call *call)
{
	struct rate_key *key = call_make_state(call, sizeof(*key));

	*key = (struct rate_key){ .class = RATE_LOGIN, .key = call_ident(call, "uid", JSON_REQUIRED) };
	call_take_exactly(call, key, 1, call_no_content);
}

static const struct call_route rows[] = {
	{ "GET", "/anyone", CALL_ANYONE, RATE_NONE, handle_ok, CALL_RIG_CONTEXT },
	{ "GET", "/user", CALL_USER, RATE_NONE, handle_ok, CALL_RIG_CONTEXT },
	{ "GET", "/admin", CALL_ADMIN, RATE_NONE, handle_ok, CALL_RIG_CONTEXT },
	{ "POST", "/send", CALL_USER, RATE_SEND, handle_ok, CALL_RIG_CONTEXT },
	{ "POST", "/logout", CALL_USER, RATE_LOGOUT, handle_ok, CALL_RIG_CONTEXT },
	{ "POST", "/login", CALL_ANYONE, RATE_LOGIN, handle_login, CALL_RIG_CONTEXT },
};

static int setup(void **state)
{
	(void)state;

	handled = 0;
	call_rig_start(rows, ARRAY_LEN(rows));
	return 0;
}

static void anyone_may_call_without_a_token(void **state)
{
	(void)state;

	assert_int_equal(call_rig_ask("/anyone", (struct http_request){ 0 })->status, 200);
}

static void a_user_needs_a_token_and_the_handler_knows_the_user(void **state)
{
	(void)state;

	assert_problem(call_rig_ask("/user", (struct http_request){ 0 }), ERR_UNAUTHENTICATED, "");
	assert_problem(call_rig_ask("/user", (struct http_request){ .authorization = "Bearer x" }), ERR_UNAUTHENTICATED, "");
	assert_int_equal(handled, 0);
	assert_string_equal(
		call_rig_ask("/user", (struct http_request){ .authorization = call_rig_token(false) })->answer,
		"alice");
	call_rig.changes.are_loaded = false;
	assert_problem(call_rig_ask("/user", (struct http_request){ .authorization = call_rig_token(false) }), ERR_UNAVAILABLE, "");
	assert_int_equal(handled, 1);
}

static void an_admin_needs_the_scope(void **state)
{
	(void)state;

	assert_problem(call_rig_ask("/admin", (struct http_request){ 0 }), ERR_UNAUTHENTICATED, "");
	assert_problem(call_rig_ask("/admin", (struct http_request){ .authorization = call_rig_token(false) }),
	               ERR_PERMISSION_DENIED, "");
	assert_int_equal(handled, 0);
	assert_int_equal(call_rig_ask("/admin", (struct http_request){ .authorization = call_rig_token(true) })->status, 200);
}

static void an_unknown_user_is_looked_up_first(void **state)
{
	const char *header = call_rig_token(false);
	(void)state;

	user_lru_release(&call_rig.known_users.users);
	known_users_init(&call_rig.known_users, NULL);
	const struct http_request *request = call_rig_ask("/user", (struct http_request){ .authorization = header });
	assert_int_equal(request->status, 0);
	call_rig_answer_query(ERR_UNAVAILABLE, NULL);
	assert_problem(request, ERR_UNAVAILABLE, "");
	assert_int_equal(handled, 0);
}

static void the_gate_refuses_sends_before_the_token_is_looked_at(void **state)
{
	(void)state;

	call_rig.is_gate_shut = true;
	const struct http_request *request = call_rig_ask("/send", (struct http_request){ 0 });
	assert_problem(request, ERR_UNAVAILABLE, "");
	assert_int_equal(request->retry_after_s, 3);
	assert_int_equal(call_rig_ask("/user", (struct http_request){ .authorization = call_rig_token(false) })->status, 200);
	call_rig.is_gate_shut = false;
	assert_int_equal(call_rig_ask("/send", (struct http_request){ .authorization = call_rig_token(false) })->status, 200);
}

static void the_dispatcher_takes_from_the_callers_bucket(void **state)
{
	const char *header = call_rig_token(false);
	(void)state;

	for (int i = 0; i < 2; i++)
		assert_int_equal(call_rig_ask("/logout", (struct http_request){ .authorization = header })->status, 200);
	const struct http_request *request = call_rig_ask("/logout", (struct http_request){ .authorization = header });
	assert_problem(request, ERR_RATE_LIMITED, "");
	assert_in_range(request->retry_after_s, 4, 6);
	assert_int_equal(call_rig_ask("/user", (struct http_request){ .authorization = header })->status, 200);
	call_rig.config.limits_enabled = false;
	assert_int_equal(call_rig_ask("/logout", (struct http_request){ .authorization = header })->status, 200);
}

static void a_handler_takes_from_the_bucket_of_the_user_that_it_read(void **state)
{
	(void)state;

	for (int i = 0; i < 2; i++)
		assert_int_equal(call_rig_ask("/login", (struct http_request){ .body = "{\"uid\":\"alice\"}" })->status, 204);
	assert_problem(call_rig_ask("/login", (struct http_request){ .body = "{\"uid\":\"alice\"}" }), ERR_RATE_LIMITED, "");
	assert_int_equal(call_rig_ask("/login", (struct http_request){ .body = "{\"uid\":\"bob\"}" })->status, 204);
}

static void every_call_takes_from_its_callers_bucket_of_calls(void **state)
{
	const char *header = call_rig_token(false);
	(void)state;

	call_rig.config.limits_call_burst = 5;
	for (int i = 0; i < 5; i++)
		assert_int_equal(call_rig_ask("/user", (struct http_request){ .authorization = header })->status, 200);
	const struct http_request *request = call_rig_ask("/user", (struct http_request){ .authorization = header });
	assert_problem(request, ERR_RATE_LIMITED, "");
	assert_in_range(request->retry_after_s, 1, 2);
	assert_int_equal(call_rig_ask("/send", (struct http_request){ .authorization = header })->status, 200);
	assert_int_equal(call_rig_ask("/admin", (struct http_request){ .authorization = call_rig_token(true) })->status, 200);
}

static void an_address_without_a_valid_token_has_a_bucket(void **state)
{
	(void)state;

	call_rig.config.limits_address_burst = 6;
	for (int i = 0; i < 3; i++) {
		assert_problem(call_rig_ask("/user", (struct http_request){ .authorization = "Bearer x" }),
		               ERR_UNAUTHENTICATED, "");
		assert_int_equal(call_rig_ask("/anyone", (struct http_request){ 0 })->status, 200);
	}
	const struct http_request *request = call_rig_ask("/user", (struct http_request){ .authorization = "Bearer x" });
	assert_problem(request, ERR_RATE_LIMITED, "");
	assert_in_range(request->retry_after_s, 1, 2);
	assert_problem(call_rig_ask("/anyone", (struct http_request){ 0 }), ERR_RATE_LIMITED, "");
	assert_int_equal(call_rig_ask("/anyone", (struct http_request){ .address = "192.0.2.7" })->status, 200);
	assert_int_equal(call_rig_ask("/user", (struct http_request){ .authorization = call_rig_token(false) })->status, 200);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, call_rig_stop)
	const struct CMUnitTest tests[] = {
		TEST(anyone_may_call_without_a_token),
		TEST(a_user_needs_a_token_and_the_handler_knows_the_user),
		TEST(an_admin_needs_the_scope),
		TEST(an_unknown_user_is_looked_up_first),
		TEST(the_gate_refuses_sends_before_the_token_is_looked_at),
		TEST(the_dispatcher_takes_from_the_callers_bucket),
		TEST(a_handler_takes_from_the_bucket_of_the_user_that_it_read),
		TEST(every_call_takes_from_its_callers_bucket_of_calls),
		TEST(an_address_without_a_valid_token_has_a_bucket),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
