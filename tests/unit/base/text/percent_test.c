#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/text/percent.h"

static struct buf out;

static int empty(void **state)
{
	(void)state;
	buf_release(&out);
	return 0;
}

static void every_byte_is_decoded_from_its_two_digits(void **state)
{
	char text[7];
	(void)state;

	for (unsigned byte = 0; byte < 256; byte++) {
		snprintf(text, sizeof(text), "%%%02x%%%02X", byte, byte);
		buf_clear(&out);
		assert_true(percent_decode(&out, str_from(text), PLUS_IS_PLUS));
		assert_int_equal(out.len, 2);
		assert_int_equal((unsigned char)out.ptr[0], byte);
		assert_int_equal((unsigned char)out.ptr[1], byte);
	}
}

static void the_decoded_text_is_appended(void **state)
{
	(void)state;
	buf_append_text(&out, "before ");
	assert_true(percent_decode(&out, STR("a%20b%2fc"), PLUS_IS_PLUS));
	assert_true(percent_decode(&out, STR(""), PLUS_IS_PLUS));
	assert_string_equal(buf_text(&out), "before a b/c");
}

static void a_plus_is_a_space_only_where_asked_for(void **state)
{
	(void)state;
	assert_true(percent_decode(&out, STR("1+1%2B"), PLUS_IS_PLUS));
	assert_true(percent_decode(&out, STR("1+1%2B"), PLUS_IS_SPACE));
	assert_string_equal(buf_text(&out), "1+1+1 1+");
}

static void an_incomplete_escape_is_refused_and_leaves_no_trace(void **state)
{
	static const char *const cases[] = { "%", "ab%", "%2", "ab%2", "%2g", "%g2", "%%20", "%+2", "% 2", "a%20%" };
	(void)state;

	buf_append_text(&out, "before");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		/* An exact heap copy: the sanitizer sees a byte read beyond it. */
		size_t len = strlen(cases[i]);
		char *copy = malloc(len);
		assert_non_null(copy);
		memcpy(copy, cases[i], len);
		assert_false(percent_decode(&out, str_of(copy, len), PLUS_IS_SPACE));
		free(copy);
		assert_string_equal(buf_text(&out), "before");
	}
}

#define T(test) cmocka_unit_test_setup_teardown(test, empty, empty)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(every_byte_is_decoded_from_its_two_digits),
		T(the_decoded_text_is_appended),
		T(a_plus_is_a_space_only_where_asked_for),
		T(an_incomplete_escape_is_refused_and_leaves_no_trace),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
