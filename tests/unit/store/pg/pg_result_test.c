#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/random.h"
#include "store/pg/pg_result.h"

/* A result of one cell, as it would have come. */
static PGresult *cell(const char *bytes, int len)
{
	PGresAttDesc column = { .name = (char *)"c", .format = 1 };
	PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);

	assert_non_null(result);
	assert_int_equal(PQsetResultAttrs(result, 1, &column), 1);
	assert_int_equal(PQsetvalue(result, 0, 0, (char *)bytes, len), 1);
	return result;
}

static void integers_of_each_width_are_read(void **state)
{
	static const struct {
		const char *bytes;
		int len;
		int64_t number;
	} expected[] = {
		{ "\xff\xfe", 2, -2 }, { "\x7f\xff", 2, 32767 }, { "\xff\xff\xff\xfd", 4, -3 }, { "\0\0\1\0", 4, 256 },
		{ "\x80\0\0\0\0\0\0\0", 8, INT64_MIN }, { "\0\0\0\0\0\0\0\x5", 8, 5 }, { NULL, -1, 0 },
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
		PGresult *result = cell(expected[i].bytes, expected[i].len);
		assert_int_equal(pg_i64(result, 0, 0), expected[i].number);
		PQclear(result);
	}
}

static void null_is_told_from_an_empty_text(void **state)
{
	PGresult *null = cell(NULL, -1), *empty = cell("", 0);
	(void)state;

	assert_null(pg_text(null, 0, 0).ptr);
	assert_non_null(pg_text(empty, 0, 0).ptr);
	assert_int_equal(pg_text(empty, 0, 0).len, 0);
	assert_false(pg_bool(null, 0, 0));
	PQclear(null);
	PQclear(empty);
}

#define ONE_DIMENSION "\0\0\0\1"
#define HEADER(count) ONE_DIMENSION "\0\0\0\1\0\0\0\x19\0\0\0" count "\0\0\0\1"

static size_t read_array(const char *bytes, int len, struct str *out, size_t max)
{
	static PGresult *result;

	PQclear(result);
	result = bytes ? cell(bytes, len) : NULL;
	return result ? pg_text_array(result, 0, 0, out, max) : 0;
}

static void text_arrays_are_read_up_to_what_fits(void **state)
{
	static const char bytes[] = HEADER("\3") "\0\0\0\2ab"
						 "\xff\xff\xff\xff"
						 "\0\0\0\0";
	struct str out[4];
	(void)state;

	assert_int_equal(read_array(bytes, sizeof(bytes) - 1, out, 4), 3);
	assert_true(str_equal(out[0], STR("ab")));
	assert_null(out[1].ptr);
	assert_non_null(out[2].ptr);
	assert_int_equal(out[2].len, 0);
	assert_int_equal(read_array(bytes, sizeof(bytes) - 1, out, 2), 2);
	assert_int_equal(read_array(bytes, sizeof(bytes) - 1, out, 0), 0);
	read_array(NULL, 0, NULL, 0);
}

static void a_text_array_that_is_cut_or_lies_is_not_read_beyond_its_end(void **state)
{
	static const char cut[] = HEADER("\3") "\0\0\0\2ab"
					       "\0\0\0\x9"
					       "x";
	static const char many[] = HEADER("\xff") "\0\0\0\1a";
	static const char two_dimensions[] = "\0\0\0\2"
					     "\0\0\0\0"
					     "\0\0\0\x19"
					     "\0\0\0\1"
					     "\0\0\0\1"
					     "\0\0\0\1"
					     "\0\0\0\1";
	struct str out[300];
	(void)state;

	assert_int_equal(read_array(cut, sizeof(cut) - 1, out, 300), 1);
	assert_int_equal(read_array(many, sizeof(many) - 1, out, 300), 1);
	assert_int_equal(read_array(two_dimensions, sizeof(two_dimensions) - 1, out, 300), 0);
	for (int len = 0; len < (int)sizeof(cut) - 1; len++)
		assert_in_range(read_array(cut, len, out, 300), 0, 1);
	for (int i = 0; i < 20000; i++) {
		char noise[64];
		random_bytes(noise, sizeof(noise));
		memcpy(noise, ONE_DIMENSION, 4);
		size_t count = read_array(noise, (int)random_below(sizeof(noise)), out, 300);
		assert_true(count <= 300);
	}
	read_array(NULL, 0, NULL, 0);
}

static void the_first_line_of_a_message_has_no_hint(void **state)
{
	(void)state;
	assert_true(str_equal(pg_first_line("refused\n\tIs the server running?\n"), STR("refused")));
	assert_true(str_equal(pg_first_line("refused"), STR("refused")));
	assert_int_equal(pg_first_line("").len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(integers_of_each_width_are_read),
		cmocka_unit_test(null_is_told_from_an_empty_text),
		cmocka_unit_test(text_arrays_are_read_up_to_what_fits),
		cmocka_unit_test(a_text_array_that_is_cut_or_lies_is_not_read_beyond_its_end),
		cmocka_unit_test(the_first_line_of_a_message_has_no_hint),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
