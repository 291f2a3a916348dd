#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "store/pg/pg.h"

#define assert_param(p, number, bytes) assert_bytes(p, number, bytes, sizeof(bytes) - 1)

static void assert_bytes(const struct pg_params *params, int number, const char *bytes, size_t len)
{
	assert_int_equal(params->params[number].len, len);
	assert_memory_equal(params->bytes.ptr + params->params[number].at, bytes, len);
}

static void numbers_stand_in_network_order(void **state)
{
	struct pg_params params = { 0 };
	(void)state;

	pg_put_i16(&params, -2);
	pg_put_i32(&params, 0x01020304);
	pg_put_i64(&params, -3);
	pg_put_bool(&params, true);
	pg_put_bool(&params, false);
	assert_int_equal(params.count, 5);
	assert_param(&params, 0, "\xff\xfe");
	assert_param(&params, 1, "\x01\x02\x03\x04");
	assert_param(&params, 2, "\xff\xff\xff\xff\xff\xff\xff\xfd");
	assert_param(&params, 3, "\x01");
	assert_param(&params, 4, "\x00");
	pg_params_release(&params);
	assert_int_equal(params.count, 0);
}

static void texts_are_their_bytes_and_null_is_none(void **state)
{
	struct pg_params params = { 0 };
	(void)state;

	pg_put_text(&params, STR("one"));
	pg_put_text(&params, STR(""));
	pg_put_null(&params);
	pg_put_text(&params, STR("two"));
	assert_param(&params, 0, "one");
	assert_int_equal(params.params[1].len, 0);
	assert_int_equal(params.params[2].len, -1);
	assert_param(&params, 3, "two");
	pg_params_release(&params);
}

static void an_array_is_its_header_and_its_elements(void **state)
{
	struct pg_params params = { 0 };
	(void)state;

	pg_array_begin(&params, PG_TEXT);
	pg_array_text(&params, STR("ab"));
	pg_array_text(&params, STR(""));
	pg_array_end(&params);
	pg_array_begin(&params, PG_INT8);
	pg_array_i64(&params, 258);
	pg_array_end(&params);
	pg_array_begin(&params, PG_INT4);
	pg_array_i32(&params, -1);
	pg_array_end(&params);
	pg_array_begin(&params, PG_BOOL);
	pg_array_bool(&params, true);
	pg_array_end(&params);
	assert_int_equal(params.count, 4);
	assert_param(&params, 0, "\0\0\0\1"
	                         "\0\0\0\0"
	                         "\0\0\0\x19"
	                         "\0\0\0\2"
	                         "\0\0\0\1"
	                         "\0\0\0\2ab"
	                         "\0\0\0\0");
	assert_param(&params, 1, "\0\0\0\1"
	                         "\0\0\0\0"
	                         "\0\0\0\x14"
	                         "\0\0\0\1"
	                         "\0\0\0\1"
	                         "\0\0\0\x8\0\0\0\0\0\0\1\2");
	assert_param(&params, 2, "\0\0\0\1"
	                         "\0\0\0\0"
	                         "\0\0\0\x17"
	                         "\0\0\0\1"
	                         "\0\0\0\1"
	                         "\0\0\0\4\xff\xff\xff\xff");
	assert_param(&params, 3, "\0\0\0\1"
	                         "\0\0\0\0"
	                         "\0\0\0\x10"
	                         "\0\0\0\1"
	                         "\0\0\0\1"
	                         "\0\0\0\1\1");
	pg_params_release(&params);
}

static void an_array_says_whether_it_has_nulls(void **state)
{
	struct pg_params params = { 0 };
	(void)state;

	pg_array_begin(&params, PG_INT8);
	pg_array_null(&params);
	pg_array_end(&params);
	assert_param(&params, 0, "\0\0\0\1"
	                         "\0\0\0\1"
	                         "\0\0\0\x14"
	                         "\0\0\0\1"
	                         "\0\0\0\1"
	                         "\xff\xff\xff\xff");
	pg_params_release(&params);
}

static void an_empty_array_has_no_dimension(void **state)
{
	struct pg_params params = { 0 };
	(void)state;

	pg_put_i16(&params, 1);
	pg_array_begin(&params, PG_TEXT);
	pg_array_end(&params);
	pg_put_i16(&params, 2);
	assert_param(&params, 0, "\0\1");
	assert_param(&params, 1, "\0\0\0\0"
	                         "\0\0\0\0"
	                         "\0\0\0\x19");
	assert_param(&params, 2, "\0\2");
	pg_params_release(&params);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_stand_in_network_order),
		cmocka_unit_test(texts_are_their_bytes_and_null_is_none),
		cmocka_unit_test(an_array_is_its_header_and_its_elements),
		cmocka_unit_test(an_array_says_whether_it_has_nulls),
		cmocka_unit_test(an_empty_array_has_no_dimension),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
