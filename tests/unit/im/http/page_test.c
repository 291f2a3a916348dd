/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/macros.h"
#include "im/http/page.h"

static PGresult *rows_of(int count)
{
	PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
	PGresAttDesc uid = { .name = "uid", .format = 1, .typid = PG_TEXT, .typlen = -1 };
	char key[] = "u0";

	assert_true(PQsetResultAttrs(result, 1, &uid));
	for (int row = 0; row < count; row++) {
		key[1] = (char)('0' + row);
		assert_true(PQsetvalue(result, row, 0, key, 2));
	}
	return result;
}

static void a_cursor_gives_the_key_that_it_was_made_of(void **state)
{
	static const char *const keys[] = { "a", "alice", "x-1_2.3",
		                            "0123456789012345678901234567890123456789012345678901234567890123" };
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		struct buf cursor = { 0 }, key = { 0 };

		page_cursor(&cursor, str_from(keys[i]));
		assert_true(page_cursor_read(buf_str(&cursor), &key));
		assert_true(str_equal(buf_str(&key), str_from(keys[i])));
		buf_release(&cursor);
		buf_release(&key);
	}
}

static void a_cursor_that_was_not_given_out_is_refused(void **state)
{
	/* Nothing, no base64url, padding, stray bits, not an id, 66 bytes. */
	static const char *const bad[] = {
		"", "!", "YQ==", "YR", "YSBi", "AA", "/w",
		"YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFh",
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct buf key = { 0 };

		assert_false(page_cursor_read(str_from(bad[i]), &key));
		buf_release(&key);
	}
}

static void the_row_beyond_the_limit_is_not_shown_but_makes_a_cursor(void **state)
{
	const struct page page = { .limit = 3 };
	struct buf out = { 0 };
	(void)state;

	PGresult *result = rows_of(4);
	assert_int_equal(page_rows(&page, result, 0), 3);
	buf_append_char(&out, '{');
	page_put_next(&out, &page, result, 0);
	assert_string_equal(buf_text(&out), "{\"next_cursor\":\"dTI\""); /* u2 */
	buf_release(&out);
	PQclear(result);
}

static void the_last_page_has_no_cursor(void **state)
{
	const struct page page = { .limit = 3 };
	struct buf out = { 0 };
	(void)state;

	for (int rows = 0; rows <= 3; rows++) {
		PGresult *result = rows_of(rows);
		assert_int_equal(page_rows(&page, result, 0), rows);
		page_put_next(&out, &page, result, 0);
		assert_int_equal(out.len, 0);
		PQclear(result);
	}
}

static void a_row_without_a_key_is_not_shown(void **state)
{
	const struct page page = { .limit = 3 };
	(void)state;

	PGresult *result = rows_of(1);
	assert_true(PQsetvalue(result, 0, 0, NULL, -1));
	assert_int_equal(page_rows(&page, result, 0), 0);
	PQclear(result);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cursor_gives_the_key_that_it_was_made_of),
		cmocka_unit_test(a_cursor_that_was_not_given_out_is_refused),
		cmocka_unit_test(the_row_beyond_the_limit_is_not_shown_but_makes_a_cursor),
		cmocka_unit_test(the_last_page_has_no_cursor),
		cmocka_unit_test(a_row_without_a_key_is_not_shown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
