/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "im/sync/sync_request.h"

#define EPOCH "0123456789abcde"

/* A query with NULL for absent parameters, and the parameter that is wrong, or NULL. */
struct query {
	const char *epoch, *offset, *limit;
	const char *wrong;
};

static struct sync_request read_query(const struct query *query)
{
	struct json_error error = { 0 };
	struct sync_request request;

	sync_request_read(&request, str_from(query->epoch), str_from(query->offset), str_from(query->limit), &error);
	if (!query->wrong) {
		assert_int_equal(error.err, OK);
	} else {
		assert_int_equal(error.err, ERR_INVALID_ARGUMENT);
		assert_string_equal(error.field, query->wrong);
		assert_non_null(strstr(error.detail, query->wrong));
	}
	return request;
}

static void without_parameters_a_page_is_the_first_hundred_from_the_oldest(void **state)
{
	struct sync_request request = read_query(&(struct query){ NULL, NULL, NULL, NULL });
	(void)state;

	assert_false(request.has_position);
	assert_int_equal(request.limit, 100);
}

static void a_position_is_an_epoch_and_an_offset(void **state)
{
	struct sync_request request = read_query(&(struct query){ EPOCH, "17", "1", NULL });
	(void)state;

	assert_true(request.has_position);
	assert_int_equal(request.position.epoch, 0x0123456789abcde);
	assert_int_equal(request.position.offset, 17);
	assert_int_equal(request.limit, 1);
	assert_int_equal(read_query(&(struct query){ EPOCH, "0", "500", NULL }).limit, 500);
}

static void an_epoch_that_no_inbox_has_is_0_and_an_offset_may_be_past_any_inbox(void **state)
{
	static const char *const epochs[] = { "x", "0", "0123456789abcdE", "000000000000000", "ééééééééééééééé" };
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(epochs); i++)
		assert_int_equal(read_query(&(struct query){ epochs[i], "1", NULL, NULL }).position.epoch, 0);
	struct sync_request request = read_query(&(struct query){ EPOCH, "18446744073709551615", NULL, NULL });
	assert_int_equal(request.position.offset, UINT64_MAX);
	request = read_query(&(struct query){ EPOCH, "99999999999999999999", NULL, NULL });
	assert_int_equal(request.position.offset, UINT64_MAX);
	request = read_query(&(struct query){ EPOCH, "00000000000000000007", NULL, NULL });
	assert_int_equal(request.position.offset, 7);
}

static void the_wrong_parameter_is_named(void **state)
{
	static const struct query queries[] = {
		{ EPOCH, NULL, NULL, "offset" },
		{ NULL, "1", NULL, "epoch" },
		{ "", "1", NULL, "epoch" },
		{ "0123456789abcdef", "1", NULL, "epoch" },
		{ EPOCH, "", NULL, "offset" },
		{ EPOCH, "-1", NULL, "offset" },
		{ EPOCH, "+1", NULL, "offset" },
		{ EPOCH, "x", NULL, "offset" },
		{ EPOCH, "0x1", NULL, "offset" },
		{ EPOCH, "1.0", NULL, "offset" },
		{ EPOCH, " 1", NULL, "offset" },
		{ EPOCH, "1 ", NULL, "offset" },
		{ EPOCH, "000000000000000000001", NULL, "offset" },
		{ EPOCH, "100000000000000000000", NULL, "offset" },
		{ NULL, NULL, "0", "limit" },
		{ NULL, NULL, "501", "limit" },
		{ NULL, NULL, "-1", "limit" },
		{ NULL, NULL, "", "limit" },
		{ NULL, NULL, "ten", "limit" },
		{ NULL, NULL, "1000000000", "limit" },
		{ NULL, NULL, "18446744073709551617", "limit" },
		{ EPOCH, "1", "0", "limit" },
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(queries); i++)
		read_query(&queries[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_parameters_a_page_is_the_first_hundred_from_the_oldest),
		cmocka_unit_test(a_position_is_an_epoch_and_an_offset),
		cmocka_unit_test(an_epoch_that_no_inbox_has_is_0_and_an_offset_may_be_past_any_inbox),
		cmocka_unit_test(the_wrong_parameter_is_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
