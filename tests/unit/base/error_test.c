/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/error.h"

/* Contract section 3, written down a second time. */
static const struct {
	err_t err;
	const char *code;
	int http_status;
} public_errors[] = {
	{ ERR_INVALID_ARGUMENT, "invalid_argument", 400 },
	{ ERR_UNAUTHENTICATED, "unauthenticated", 401 },
	{ ERR_PERMISSION_DENIED, "permission_denied", 403 },
	{ ERR_NOT_FRIEND, "not_friend", 403 },
	{ ERR_BLOCKED, "blocked", 403 },
	{ ERR_MUTED, "muted", 403 },
	{ ERR_NOT_MEMBER, "not_member", 403 },
	{ ERR_NOT_FOUND, "not_found", 404 },
	{ ERR_METHOD_NOT_ALLOWED, "method_not_allowed", 405 },
	{ ERR_IDEMPOTENCY_CONFLICT, "idempotency_conflict", 409 },
	{ ERR_ALREADY_EXISTS, "already_exists", 409 },
	{ ERR_FAILED_PRECONDITION, "failed_precondition", 409 },
	{ ERR_TOO_LARGE, "too_large", 413 },
	{ ERR_REJECTED, "rejected", 422 },
	{ ERR_RATE_LIMITED, "rate_limited", 429 },
	{ ERR_UNAVAILABLE, "unavailable", 503 },
};

static void public_errors_have_the_contracts_code_and_status(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(public_errors); i++) {
		assert_string_equal(err_code(public_errors[i].err), public_errors[i].code);
		assert_int_equal(err_http_status(public_errors[i].err), public_errors[i].http_status);
		assert_int_equal(err_from_code(public_errors[i].code), public_errors[i].err);
	}
}

static void every_error_is_shown_under_a_public_code(void **state)
{
	(void)state;
	for (int err = OK + 1; err < ERR_COUNT; err++) {
		bool is_public = false;
		for (size_t i = 0; i < ARRAY_LEN(public_errors); i++)
			if (strcmp(err_code((err_t)err), public_errors[i].code) == 0) {
				is_public = true;
				assert_int_equal(err_http_status((err_t)err), public_errors[i].http_status);
			}
		assert_true(is_public);
		assert_in_range(err_grpc_status((err_t)err), 1, 16);
	}
}

static void names_are_the_c_names(void **state)
{
	(void)state;
	assert_string_equal(err_name(OK), "OK");
	assert_string_equal(err_name(ERR_OUTCOME_UNKNOWN), "ERR_OUTCOME_UNKNOWN");
	assert_string_equal(err_name((err_t)ERR_COUNT), "ERR_INTERNAL");
	assert_string_equal(err_name((err_t)-1), "ERR_INTERNAL");
}

static void errors_that_end_a_connection_have_the_contracts_close_code(void **state)
{
	(void)state;
	assert_int_equal(err_close_code(ERR_UNAUTHENTICATED), 4002);
	assert_int_equal(err_close_code(ERR_PROTOCOL), 4003);
	assert_int_equal(err_close_code(ERR_RATE_LIMITED), 4006);
	assert_int_equal(err_close_code(ERR_TOO_LARGE), 1009);
	assert_int_equal(err_close_code(ERR_INVALID_ARGUMENT), 0);
}

static void an_unknown_code_is_an_internal_error(void **state)
{
	(void)state;
	assert_int_equal(err_from_code("no_such_code"), ERR_INTERNAL);
	assert_int_equal(err_from_code(""), ERR_INTERNAL);
	assert_int_equal(err_from_code("ok"), OK);
}

static void a_grpc_status_becomes_an_error_and_only_0_becomes_ok(void **state)
{
	(void)state;
	assert_int_equal(err_from_grpc_status(0), OK);
	for (int status = 1; status <= 17; status++)
		assert_int_not_equal(err_from_grpc_status(status), OK);
	assert_int_equal(err_from_grpc_status(-1), ERR_INTERNAL);
	assert_int_equal(err_from_grpc_status(17), ERR_INTERNAL);
	assert_int_equal(err_from_grpc_status(4), ERR_TIMEOUT);
	assert_int_equal(err_from_grpc_status(14), ERR_UNAVAILABLE);
	assert_int_equal(err_from_grpc_status(16), ERR_UNAUTHENTICATED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(public_errors_have_the_contracts_code_and_status),
		cmocka_unit_test(every_error_is_shown_under_a_public_code),
		cmocka_unit_test(names_are_the_c_names),
		cmocka_unit_test(errors_that_end_a_connection_have_the_contracts_close_code),
		cmocka_unit_test(an_unknown_code_is_an_internal_error),
		cmocka_unit_test(a_grpc_status_becomes_an_error_and_only_0_becomes_ok),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
