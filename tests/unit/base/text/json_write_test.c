/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/text/json.h"
#include "base/macros.h"
#include "tests/unit/base/seeded.h"

static void strings_are_escaped_as_the_rfc_says(void **state)
{
	static const struct {
		struct str value;
		const char *written;
	} cases[] = {
		{ { "", 0 }, "\"\"" },
		{ { NULL, 0 }, "\"\"" },
		{ { "plain", 5 }, "\"plain\"" },
		{ { "a\"b\\c/d", 7 }, "\"a\\\"b\\\\c/d\"" },
		{ { "\b\f\n\r\t", 5 }, "\"\\b\\f\\n\\r\\t\"" },
		{ { "\x00\x01\x1f\x20\x7f", 5 }, "\"\\u0000\\u0001\\u001f \x7f\"" },
		{ { "\xe4\xbd\xa0\xf0\x9f\x98\x80", 7 }, "\"\xe4\xbd\xa0\xf0\x9f\x98\x80\"" },
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf out = { 0 };
		json_put_string(&out, cases[i].value);
		assert_string_equal(buf_text(&out), cases[i].written);
		buf_release(&out);
	}
}

static void one_byte_that_needs_an_escape_is_found_at_every_place(void **state)
{
	(void)state;
	for (int byte = 1; byte < 0x80; byte++) {
		for (size_t at = 0; at < 20; at++) {
			struct buf out = { 0 };
			char text[20];
			memset(text, 'x', sizeof(text));
			text[at] = (char)byte;
			json_put_string(&out, str_of(text, sizeof(text)));
			json_t *read = json_loadb(out.ptr, out.len, JSON_DECODE_ANY, NULL);
			assert_non_null(read);
			assert_int_equal(json_string_length(read), sizeof(text));
			assert_memory_equal(json_string_value(read), text, sizeof(text));
			assert_int_equal(out.len == sizeof(text) + 2, byte >= ' ' && byte != '"' && byte != '\\');
			json_decref(read);
			buf_release(&out);
		}
	}
}

static void random_texts_are_read_back_as_they_were(void **state)
{
	struct seeded seeded;
	char text[64];
	(void)state;

	seeded_init(&seeded);
	for (int round = 0; round < 20000; round++) {
		struct buf out = { 0 };
		size_t len = 0, wanted = seeded_below(&seeded, 60);
		while (len < wanted) {
			if (seeded_below(&seeded, 4) == 0) {
				memcpy(text + len, "\xe4\xbd\xa0", 3);
				len += 3;
			} else {
				text[len++] = (char)(1 + seeded_below(&seeded, 127));
			}
		}
		json_put_string(&out, str_of(text, len));
		json_t *read = json_loadb(out.ptr, out.len, JSON_DECODE_ANY, NULL);
		assert_non_null(read);
		assert_true(str_equal(str_of(json_string_value(read), json_string_length(read)), str_of(text, len)));
		json_decref(read);
		buf_release(&out);
	}
}

static void fields_have_commas_between_them_and_none_before_the_first(void **state)
{
	struct buf out = { 0 };
	(void)state;

	buf_append_text(&out, "{");
	json_put_field(&out, "uid", STR("alice"));
	json_put_u64_field(&out, "seq", UINT64_MAX);
	json_put_bool_field(&out, "more", true);
	json_put_id_field(&out, "msg_id", 1234567890123456789u);
	json_put_key(&out, "inner");
	buf_append_text(&out, "{");
	json_put_bool_field(&out, "no", false);
	buf_append_text(&out, "}");
	json_put_field(&out, "tail", STR("{"));
	json_put_field(&out, "after", STR("x"));
	buf_append_text(&out, "}");
	assert_string_equal(buf_text(&out), "{\"uid\":\"alice\",\"seq\":18446744073709551615,\"more\":true,"
	                                    "\"msg_id\":\"1234567890123456789\",\"inner\":{\"no\":false},"
	                                    "\"tail\":\"{\",\"after\":\"x\"}");
	buf_release(&out);
}

static void assert_dumps_as(const char *text, const char *expected)
{
	json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);
	struct buf out = { 0 };

	assert_non_null(value);
	json_dump_compact(&out, value);
	assert_string_equal(buf_text(&out), expected);
	json_decref(value);
	buf_release(&out);
}

static void a_dump_is_compact_and_keeps_the_order_of_the_keys(void **state)
{
	(void)state;
	assert_dumps_as(" { \"z\" : 1 , \"a\" : [ 1 , \"two\" , null , true , false , { } , [ ] ] , "
	                "\"m\" : { \"y\" : \"\\u00e4\" } } ",
	                "{\"z\":1,\"a\":[1,\"two\",null,true,false,{},[]],\"m\":{\"y\":\"\xc3\xa4\"}}");
	assert_dumps_as("{\"9\":1,\"8\":2,\"7\":3,\"6\":4,\"5\":5,\"4\":6,\"3\":7,\"2\":8,\"1\":9,\"0\":10,\"x\":11}",
	                "{\"9\":1,\"8\":2,\"7\":3,\"6\":4,\"5\":5,\"4\":6,\"3\":7,\"2\":8,\"1\":9,\"0\":10,\"x\":11}");
	assert_dumps_as("{\"\":\"\",\"a\\\"b\":1}", "{\"\":\"\",\"a\\\"b\":1}");
	assert_dumps_as("\"just text\"", "\"just text\"");
	assert_dumps_as("-9223372036854775808", "-9223372036854775808");
}

static void real_numbers_are_short_and_stay_the_same_reals(void **state)
{
	struct seeded seeded;
	(void)state;

	assert_dumps_as("0.1", "0.1");
	assert_dumps_as("1.0", "1.0");
	assert_dumps_as("-0.0", "-0.0");
	assert_dumps_as("3.14", "3.14");
	assert_dumps_as("1e22", "1e+22");
	assert_dumps_as("1e-7", "1e-07");
	assert_dumps_as("0.30000000000000004", "0.30000000000000004");
	assert_dumps_as("1.7976931348623157e308", "1.7976931348623157e+308");
	assert_dumps_as("5e-324", "4.94065645841247e-324");
	seeded_init(&seeded);
	for (int i = 0; i < 100000; i++) {
		uint64_t bits = seeded_next(&seeded);
		double number;
		memcpy(&number, &bits, sizeof(number));
		struct buf out = { 0 };
		json_t *value = json_real(number);
		if (!value)
			continue; /* not a number, or infinite: jansson makes none of these */
		json_dump_compact(&out, value);
		json_t *read = json_loadb(out.ptr, out.len, JSON_DECODE_ANY, NULL);
		assert_true(json_is_real(read));
		assert_true(json_real_value(read) == number);
		json_decref(read);
		json_decref(value);
		buf_release(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strings_are_escaped_as_the_rfc_says),
		cmocka_unit_test(one_byte_that_needs_an_escape_is_found_at_every_place),
		cmocka_unit_test(random_texts_are_read_back_as_they_were),
		cmocka_unit_test(fields_have_commas_between_them_and_none_before_the_first),
		cmocka_unit_test(a_dump_is_compact_and_keeps_the_order_of_the_keys),
		cmocka_unit_test(real_numbers_are_short_and_stay_the_same_reals),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
