#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/macros.h"
#include "message/reaction.h"

static void the_body_of_a_reaction_is_split_and_not_shown(void **state)
{
	struct reaction reaction;
	(void)state;

	struct str shown = reaction_split(&reaction, STR("reaction"), STR("{\"op\":\"add\",\"emoji\":\"\xf0\x9f\x91\x8d\"}"));
	assert_int_equal(shown.len, 0);
	assert_string_equal(reaction.op, "add");
	assert_string_equal(reaction.emoji, "\xf0\x9f\x91\x8d");
	shown = reaction_split(&reaction, STR("reaction"), STR("{\"op\":\"remove\",\"emoji\":\"\\\"\\\\ x\"}"));
	assert_int_equal(shown.len, 0);
	assert_string_equal(reaction.op, "remove");
	assert_string_equal(reaction.emoji, "\"\\ x");
}

static void the_body_of_any_other_entry_stays(void **state)
{
	const struct str body = STR("{\"op\":\"add\",\"emoji\":\"x\"}"), none = { 0 };
	struct reaction reaction;
	(void)state;

	assert_ptr_equal(reaction_split(&reaction, STR("custom"), body).ptr, body.ptr);
	assert_string_equal(reaction.op, "");
	assert_string_equal(reaction.emoji, "");
	assert_null(reaction_split(&reaction, STR("recall"), none).ptr);
}

static void an_emoji_is_text_that_shows_something(void **state)
{
	static const struct {
		const char *emoji;
		bool is_valid;
	} rows[] = {
		{ "\xf0\x9f\x91\x8d", true },
		{ "\xe2\x9d\xa4\xef\xb8\x8f", true }, /* a heart and a variation selector */
		{ "a", true },
		{ " a", true },
		{ ":a hand:", true },
		{ "12345678", true },
		{ "123456789", false },
		{ "", false },
		{ " ", false },
		{ "\xe3\x80\x80\xc2\xa0", false }, /* an ideographic space and a no-break space */
		{ "\xe2\x80\x8d", false }, /* a joiner */
		{ "\xef\xb8\x8f", false }, /* a variation selector */
		{ "\xef\xbb\xbf", false }, /* a byte order mark */
		{ "a\n", false },
		{ "\x7f", false },
		{ "a\xc2\x85", false }, /* a C1 control */
		{ "\xe2\x80\xa8"
		  "a",
		  false }, /* a line separator */
		{ "\xf0\x9f\x91", false },
		{ "a\xff", false },
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (reaction_emoji_is_valid(str_from(rows[i].emoji), 8) != rows[i].is_valid)
			fail_msg("row %zu", i);
	assert_false(reaction_emoji_is_valid((struct str){ 0 }, 8));
	assert_false(reaction_emoji_is_valid(str_of("a\0b", 3), 8));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_body_of_a_reaction_is_split_and_not_shown),
		cmocka_unit_test(the_body_of_any_other_entry_stays),
		cmocka_unit_test(an_emoji_is_text_that_shows_something),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
