#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/macros.h"
#include "gateway/wire/lone_surrogates.h"

static void assert_becomes(const char *json, const char *expected)
{
	struct buf text = { 0 };

	buf_append_text(&text, json);
	lone_surrogates_replace(&text);
	assert_string_equal(buf_text(&text), expected);
	buf_release(&text);
}

static void half_a_pair_is_replaced_wherever_it_stands(void **state)
{
	(void)state;
	assert_becomes("\\ud83d", "\\ufffd");
	assert_becomes("\\uDE00", "\\ufffd");
	assert_becomes("{\"a\":\"hi \\ud83d\"}", "{\"a\":\"hi \\ufffd\"}");
	assert_becomes("\\ud83d\\u0041", "\\ufffd\\u0041");
	assert_becomes("\\ud83d\\n", "\\ufffd\\n");
	assert_becomes("\\ud83d\\ud83d", "\\ufffd\\ufffd");
	assert_becomes("\\ude00\\ud83d", "\\ufffd\\ufffd");
	assert_becomes("\\ud83d \\ude00", "\\ufffd \\ufffd");
	assert_becomes("\\ud800\\udbff\\udc00\\udfff", "\\ufffd\\udbff\\udc00\\ufffd");
	assert_becomes("\\\\\\ud83d", "\\\\\\ufffd");
}

static void what_is_no_half_of_a_pair_stays(void **state)
{
	static const char *const same[] = {
		"", "a", "\\", "\\u", "\\ud83", "\\\\ud83d", "\\\\\\\\ud83d", "\\ud83d\\ude00", "\\uD83D\\uDE00", "\\ud7ff",
		"\\ue000", "\\uffff", "\\ud83g", "\\ud8\"d", "\\xd83d", "ud83d", "\\n\\\"\\u0000",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(same); i++)
		assert_becomes(same[i], same[i]);
}

static void what_stands_behind_the_end_does_not_count(void **state)
{
	struct buf text = { 0 };

	(void)state;
	for (size_t len = 0; len <= 12; len++) {
		buf_clear(&text);
		buf_append_text(&text, "\\ud83d\\ude00");
		text.len = len;
		lone_surrogates_replace(&text);
		assert_memory_equal(text.ptr, len < 6 || len == 12 ? "\\ud83d" : "\\ufffd", 6);
		assert_memory_equal(text.ptr + 6, "\\ude00", 6);
	}
	buf_release(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(half_a_pair_is_replaced_wherever_it_stands),
		cmocka_unit_test(what_is_no_half_of_a_pair_stays),
		cmocka_unit_test(what_stands_behind_the_end_does_not_count),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
