#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "rpc/core/rpc_status.h"

static err_t travelled(err_t err)
{
	return rpc_status_error(err_grpc_status(err), str_from(err_code(err)));
}

static void each_public_error_arrives_unchanged(void **state)
{
	(void)state;
	for (unsigned i = ERR_INVALID_ARGUMENT; i <= ERR_UNAVAILABLE; i++)
		assert_int_equal(travelled((err_t)i), i);
	assert_int_equal(rpc_status_error(0, (struct str){ 0 }), OK);
}

static void errors_with_one_code_are_told_apart_by_the_status(void **state)
{
	(void)state;
	assert_int_equal(travelled(ERR_TIMEOUT), ERR_TIMEOUT);
	assert_int_equal(travelled(ERR_INTERNAL), ERR_INTERNAL);
	assert_int_equal(travelled(ERR_PROTOCOL), ERR_INVALID_ARGUMENT);
	assert_int_equal(travelled(ERR_OUTCOME_UNKNOWN), ERR_UNAVAILABLE);
}

static void without_a_code_that_fits_the_status_decides(void **state)
{
	(void)state;
	assert_int_equal(rpc_status_error(7, (struct str){ 0 }), ERR_PERMISSION_DENIED);
	assert_int_equal(rpc_status_error(7, STR("of a later version")), ERR_PERMISSION_DENIED);
	assert_int_equal(rpc_status_error(7, STR("ok")), ERR_PERMISSION_DENIED);
	assert_int_equal(rpc_status_error(5, STR("blocked")), ERR_NOT_FOUND);
	assert_int_equal(rpc_status_error(5, STR("not_found_and_much_longer_than_any_code_there_is")), ERR_NOT_FOUND);
	assert_int_equal(rpc_status_error(999, (struct str){ 0 }), ERR_INTERNAL);
	assert_int_equal(rpc_status_error(-1, (struct str){ 0 }), ERR_INTERNAL);
}

static void a_status_of_grpc_itself_is_told_apart_from_one_of_a_server(void **state)
{
	(void)state;
	assert_int_equal(rpc_status_error(8, (struct str){ 0 }), ERR_TOO_LARGE);
	assert_int_equal(rpc_status_error(8, STR("rate_limited")), ERR_RATE_LIMITED);
	assert_int_equal(rpc_status_error(1, (struct str){ 0 }), ERR_UNAVAILABLE);
}

static void a_detail_is_printable_and_never_cut_inside_an_escape(void **state)
{
	char text[2 * RPC_DETAIL_MAX], out[RPC_DETAIL_MAX + 1];
	(void)state;

	rpc_detail_escape(out, STR("a\"b\\ \n\x7f\xff"));
	assert_string_equal(out, "a\"b\\ \\x0a\\x7f\\xff");
	rpc_detail_escape(out, (struct str){ 0 });
	assert_string_equal(out, "");
	memset(text, 'a', sizeof(text));
	rpc_detail_escape(out, str_of(text, sizeof(text)));
	assert_int_equal(strlen(out), RPC_DETAIL_MAX);
	memset(text, '\n', sizeof(text));
	text[0] = 'a';
	rpc_detail_escape(out, str_of(text, sizeof(text)));
	assert_int_equal(strlen(out), RPC_DETAIL_MAX - 3);
	assert_string_equal(out + strlen(out) - 4, "\\x0a");
}

static void only_a_well_formed_traceparent_is_valid(void **state)
{
	static const char *const others[] = {
		"",
		"00",
		"01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", /* version */
		"00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", /* capitals */
		"00-0af7651916cd43dd8448eb211c80319-b7ad6b7169203331-01", /* short */
		"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-", /* more */
		"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331", /* less */
		"00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333\n-01",
	};
	(void)state;

	assert_true(rpc_traceparent_is_valid(STR("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")));
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		assert_false(rpc_traceparent_is_valid(str_from(others[i])));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_public_error_arrives_unchanged),
		cmocka_unit_test(errors_with_one_code_are_told_apart_by_the_status),
		cmocka_unit_test(without_a_code_that_fits_the_status_decides),
		cmocka_unit_test(a_status_of_grpc_itself_is_told_apart_from_one_of_a_server),
		cmocka_unit_test(a_detail_is_printable_and_never_cut_inside_an_escape),
		cmocka_unit_test(only_a_well_formed_traceparent_is_valid),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
