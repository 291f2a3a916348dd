/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/macros.h"
#include "base/text/utf8.h"

static void every_code_point_but_the_surrogates_is_valid(void **state)
{
	(void)state;
	for (uint32_t code = 0; code < 0x110000; code++) {
		char bytes[4];
		size_t len;
		if (code < 0x80) {
			bytes[0] = (char)code;
			len = 1;
		} else if (code < 0x800) {
			bytes[0] = (char)(0xc0 | code >> 6);
			len = 2;
		} else if (code < 0x10000) {
			bytes[0] = (char)(0xe0 | code >> 12);
			len = 3;
		} else {
			bytes[0] = (char)(0xf0 | code >> 18);
			len = 4;
		}
		for (size_t i = 1; i < len; i++)
			bytes[i] = (char)(0x80 | (code >> (6 * (len - 1 - i)) & 0x3f));
		bool is_surrogate = code >= 0xd800 && code <= 0xdfff;
		uint32_t read = 0;
		assert_int_equal(utf8_is_valid(str_of(bytes, len)), !is_surrogate);
		assert_int_equal(utf8_first(str_of(bytes, len), &read), is_surrogate ? 0 : len);
		assert_true(is_surrogate || read == code);
		/* Cut short it is nothing. */
		for (size_t part = 1; part < len; part++)
			assert_false(utf8_is_valid(str_of(bytes, part)));
	}
}

static void broken_sequences_are_refused_wherever_they_stand(void **state)
{
	static const char *const broken[] = {
		"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xe0\x9f\xbf", "\xf0\x80\x80\x80",
		"\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xf8\x88\x80\x80\x80", "\xfe", "\xff",
		"\xed\xa0\x80", "\xed\xbf\xbf", "\xc3(", "\xe4\xb8(", "\xf0\x9f\x98(", "\xc3\xc3\xa4",
	};
	(void)state;

	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		/* Behind 0 to 17 good bytes: inside and at the edge of the words that are looked at together. */
		for (size_t before = 0; before < 18; before++) {
			char text[32];
			memset(text, 'a', sizeof(text));
			memcpy(text + before, broken[i], strlen(broken[i]));
			assert_false(utf8_is_valid(str_of(text, before + strlen(broken[i]))));
			assert_false(utf8_is_valid(str_of(text, sizeof(text))));
		}
	}
}

static void nothing_and_plain_text_are_valid(void **state)
{
	uint32_t code_point;
	(void)state;

	assert_true(utf8_is_valid(str_of(NULL, 0)));
	assert_true(utf8_is_valid(STR("hello, world of text")));
	assert_true(utf8_is_valid(STR("gr\xc3\xbc\xc3\x9f Gott, \xe4\xbd\xa0\xe5\xa5\xbd \xf0\x9f\x98\x80")));
	assert_int_equal(utf8_first(str_of(NULL, 0), &code_point), 0);
}

static void a_text_is_cut_between_characters(void **state)
{
	/* Characters of 1, 2, 3 and 4 bytes begin at 0, 1, 3 and 6. */
	const struct str text = STR("a\xc3\xa9\xe6\x90\x9c\xf0\x9f\x98\x80");
	static const size_t expected[] = { 0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 10 };
	(void)state;

	for (size_t max = 0; max < ARRAY_LEN(expected); max++) {
		struct str cut = utf8_cut(text, max);
		assert_ptr_equal(cut.ptr, text.ptr);
		assert_int_equal(cut.len, expected[max]);
	}
	assert_int_equal(utf8_cut(str_of(NULL, 0), 4).len, 0);
	/* A run of continuation bytes is not UTF-8: little of it is lost. */
	assert_int_equal(utf8_cut(STR("\x80\x80\x80\x80\x80\x80\x80\x80"), 6).len, 3);
}

static void length_counts_code_points(void **state)
{
	(void)state;
	assert_int_equal(utf8_length(STR("")), 0);
	assert_int_equal(utf8_length(STR("abc")), 3);
	assert_int_equal(utf8_length(STR("\xe4\xbd\xa0\xe5\xa5\xbd!\xf0\x9f\x98\x80")), 4);
}

static void controls_are_known_in_both_blocks(void **state)
{
	(void)state;
	assert_true(code_point_is_control(0));
	assert_true(code_point_is_control(0x1f));
	assert_false(code_point_is_control(' '));
	assert_false(code_point_is_control('~'));
	assert_true(code_point_is_control(0x7f));
	assert_true(code_point_is_control(0x85));
	assert_true(code_point_is_control(0x9f));
	assert_false(code_point_is_control(0xa0));
	assert_true(code_point_is_control(0x2028));
	assert_true(code_point_is_control(0x2029));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_code_point_but_the_surrogates_is_valid),
		cmocka_unit_test(broken_sequences_are_refused_wherever_they_stand),
		cmocka_unit_test(nothing_and_plain_text_are_valid),
		cmocka_unit_test(a_text_is_cut_between_characters),
		cmocka_unit_test(length_counts_code_points),
		cmocka_unit_test(controls_are_known_in_both_blocks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
