/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "base/text/json.h"
#include "base/macros.h"
#include "tests/unit/base/seeded.h"

static struct json_error error;

static json_t *read_str(struct str text)
{
	error = (struct json_error){ 0 };
	return json_read(text, &error);
}

static json_t *read_text(const char *text)
{
	return read_str(str_from(text));
}

static json_t *read_good(const char *text)
{
	json_t *root = read_text(text);

	if (!root)
		fail_msg("%s: %s", text, error.detail);
	assert_int_equal(error.err, OK);
	return root;
}

static void assert_refused(json_t *root, const char *field, const char *detail)
{
	assert_null(root);
	assert_int_equal(error.err, ERR_INVALID_ARGUMENT);
	assert_string_equal(error.field, field);
	if (!strstr(error.detail, detail))
		fail_msg("\"%s\" is not in \"%s\"", detail, error.detail);
}

/* The field getters' error, which is about `x`. */
static void assert_complaint(const char *detail)
{
	assert_int_equal(error.err, ERR_INVALID_ARGUMENT);
	assert_string_equal(error.field, "x");
	assert_string_equal(error.detail, detail);
	error = (struct json_error){ 0 };
}

static void anything_but_one_json_object_is_refused(void **state)
{
	static const struct {
		const char *text, *detail;
	} cases[] = {
		{ "", "a JSON object is missing" },
		{ " ", "the JSON ends too early" },
		{ "{", "the JSON ends too early" },
		{ "{\"a\":\"", "the JSON ends too early" },
		{ "{}{}", "something follows the JSON (byte 3)" },
		{ "{} x", "something follows the JSON" },
		{ "[]", "the JSON must be an object" },
		{ "\"a\"", "the JSON must be an object" },
		{ "1", "the JSON must be an object" },
		{ "null", "the JSON must be an object" },
		{ "hello", "this is not JSON (byte 5)" },
		{ "{a:1}", "this is not JSON" },
		{ "{'a':1}", "this is not JSON" },
		{ "{\"a\":01}", "this is not JSON" },
		{ "{\"a\":+1}", "this is not JSON" },
		{ "{\"a\":NaN}", "this is not JSON" },
		{ "{\"a\":1,}", "this is not JSON" },
		{ "{\"a\":\"\n\"}", "this is not JSON" },
		{ "{\"a\":\"\\x\"}", "this is not JSON" },
		{ "\xef\xbb\xbf{}", "this is not JSON" },
		{ "{\"a\":\"\xff\"}", "not valid UTF-8" },
		{ "{\"a\":\"\xed\xa0\x80\"}", "not valid UTF-8" },
		{ "{\"a\":\"\xc0\x80\"}", "not valid UTF-8" },
		{ "{\"a\":\"\xe4\xb8", "not valid UTF-8" },
		{ "{\"a\":\"\\ud800\"}", "this is not JSON" },
		{ "{\"a\":\"\\udc00\\ud800\"}", "this is not JSON" },
		{ "{\"a\":\"x\\u0000y\"}", "must not hold a NUL character" },
		{ "{\"a\\u0000b\":1}", "must not hold a NUL character" },
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_refused(read_text(cases[i].text), "", cases[i].detail);
	assert_refused(read_str(str_of(NULL, 0)), "", "missing");
	assert_refused(read_str(STR("{}\0")), "", "");
	assert_refused(read_str(STR("{\"a\":\"\0\"}")), "", "");
}

static void a_key_given_twice_is_named(void **state)
{
	(void)state;
	assert_refused(read_text("{\"uid\":1,\"uid\":2}"), "uid", "uid is given twice (byte 14)");
	assert_refused(read_text("{\"to\":{\"user\":\"a\" , \"user\" :\"b\"}}"), "user", "user is given twice");
	/* Escapes do not hide a repeated key. A key that is not an identifier is not shown. */
	assert_refused(read_text("{\"a\":1,\"\\u0061\":2}"), "", "a key is given twice");
	assert_refused(read_text("{\"a b\":1,\"a b\":2}"), "", "a key is given twice");
	json_decref(read_good("{\"a\":{\"x\":1},\"b\":{\"x\":1}}"));
}

static void a_number_that_no_type_holds_is_named_by_its_field(void **state)
{
	(void)state;
	assert_refused(read_text("{\"limit\":9223372036854775808}"), "limit", "limit is a number out of range");
	assert_refused(read_text("{\"limit\" : -9223372036854775809 }"), "limit", "limit is a number out of range");
	assert_refused(read_text("{\"limit\":1e999}"), "limit", "limit is a number out of range");
	assert_refused(read_text("{\"list\":[99999999999999999999]}"), "", "a number is out of range");
}

static void nesting_ends_at_the_limit(void **state)
{
	char text[4 * JSON_MAX_DEPTH];
	(void)state;

	for (int extra = 0; extra <= 1; extra++) {
		/* One object and arrays inside it, one too many in the second round. */
		int arrays = JSON_MAX_DEPTH - 1 + extra;
		int len = snprintf(text, sizeof(text), "{\"a\":");
		for (int i = 0; i < arrays; i++)
			text[len++] = '[';
		for (int i = 0; i < arrays; i++)
			text[len++] = ']';
		text[len++] = '}';
		json_t *root = read_str(str_of(text, (size_t)len));
		if (extra)
			assert_refused(root, "", "nested more than 32 deep");
		else
			assert_non_null(root);
		json_decref(root);
	}
	/* Brackets in a string, behind an escaped quote too, are text; side by side is not deep. */
	json_decref(read_good("{\"a\":\"\\\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\\\"}"));
	json_decref(read_good("{\"a\":[[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],"
	                      "[],[],[],[],[],[],[],[],[],[]]}"));
}

static void a_megabyte_of_brackets_is_refused_without_recursion(void **state)
{
	static char text[1 << 20];
	(void)state;

	memset(text, '[', sizeof(text));
	assert_refused(read_str(str_of(text, sizeof(text))), "", "nested more than");
	memset(text, '{', sizeof(text));
	assert_refused(read_str(str_of(text, sizeof(text))), "", "nested more than");
	memset(text, ']', sizeof(text));
	assert_refused(read_str(str_of(text, sizeof(text))), "", "this is not JSON");
	memset(text, '"', sizeof(text));
	assert_refused(read_str(str_of(text, sizeof(text))), "", "something follows");
}

static void good_fields_are_read(void **state)
{
	json_t *root = read_good("{\"uid\":\"alice\",\"name\":\"Alice \xe4\xbd\xa0\",\"text\":\"a\\nb\","
	                         "\"n\":-5,\"r\":3.0,\"yes\":true,\"no\":false,"
	                         "\"o\":{\"k\":1},\"l\":[1,2],\"extra\":{}}");
	(void)state;

	assert_true(str_equal(json_ident(root, "uid", JSON_REQUIRED, &error), STR("alice")));
	assert_true(str_equal(json_name(root, "name", JSON_REQUIRED, &error), STR("Alice \xe4\xbd\xa0")));
	assert_true(str_equal(json_text(root, "text", JSON_REQUIRED, 1, 3, &error), STR("a\nb")));
	assert_int_equal(json_int(root, "n", JSON_REQUIRED, -5, -5, &error), -5);
	assert_int_equal(json_int(root, "r", JSON_REQUIRED, 0, 10, &error), 3);
	assert_true(json_bool(root, "yes", JSON_REQUIRED, &error));
	assert_false(json_bool(root, "no", JSON_REQUIRED, &error));
	json_t *object = json_object_field(root, "o", JSON_REQUIRED, &error);
	assert_int_equal(json_int(object, "k", JSON_REQUIRED, 0, 1, &error), 1);
	assert_int_equal(json_array_size(json_array_field(root, "l", JSON_REQUIRED, 2, &error)), 2);
	assert_int_equal(error.err, OK);
	json_decref(root);
}

static void an_absent_optional_field_is_empty_and_null_is_absent(void **state)
{
	json_t *root = read_good("{\"n\":null}");
	static const char *const names[] = { "n", "nothing" };
	(void)state;

	for (int i = 0; i < 2; i++) {
		assert_null(json_text(root, names[i], JSON_OPTIONAL, 1, 9, &error).ptr);
		assert_null(json_ident(root, names[i], JSON_OPTIONAL, &error).ptr);
		assert_null(json_name(root, names[i], JSON_OPTIONAL, &error).ptr);
		assert_int_equal(json_int(root, names[i], JSON_OPTIONAL, 5, 9, &error), 0);
		assert_false(json_bool(root, names[i], JSON_OPTIONAL, &error));
		assert_null(json_object_field(root, names[i], JSON_OPTIONAL, &error));
		assert_null(json_array_field(root, names[i], JSON_OPTIONAL, 1, &error));
		assert_null(json_text(NULL, names[i], JSON_OPTIONAL, 1, 9, &error).ptr);
	}
	assert_int_equal(error.err, OK);
	/* A text that is there and empty is something else. */
	json_decref(root);
	root = read_good("{\"t\":\"\"}");
	assert_non_null(json_text(root, "t", JSON_OPTIONAL, 0, 9, &error).ptr);
	json_decref(root);
}

static void an_absent_required_field_is_an_error(void **state)
{
	json_t *root = read_good("{\"x\":null}");
	(void)state;

	json_text(root, "x", JSON_REQUIRED, 0, 9, &error);
	assert_complaint("x is required");
	json_ident(root, "x", JSON_REQUIRED, &error);
	assert_complaint("x is required");
	json_name(root, "x", JSON_REQUIRED, &error);
	assert_complaint("x is required");
	json_int(root, "x", JSON_REQUIRED, 0, 9, &error);
	assert_complaint("x is required");
	json_bool(root, "x", JSON_REQUIRED, &error);
	assert_complaint("x is required");
	json_object_field(root, "x", JSON_REQUIRED, &error);
	assert_complaint("x is required");
	json_array_field(NULL, "x", JSON_REQUIRED, 1, &error);
	assert_complaint("x is required");
	json_decref(root);
}

static void each_wrong_type_is_named(void **state)
{
	static const char *const values[] = { "\"text\"", "1", "1.5", "true", "{}", "[]" };
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		char text[64];
		snprintf(text, sizeof(text), "{\"x\":%s}", values[i]);
		json_t *root = read_good(text);
		json_t *x = json_object_get(root, "x");
		if (!json_is_string(x)) {
			assert_null(json_text(root, "x", JSON_OPTIONAL, 0, 99, &error).ptr);
			assert_complaint("x must be a string");
			assert_null(json_ident(root, "x", JSON_OPTIONAL, &error).ptr);
			assert_complaint("x must be a string");
			assert_null(json_name(root, "x", JSON_OPTIONAL, &error).ptr);
			assert_complaint("x must be a string");
		}
		if (!json_is_integer(x)) {
			assert_int_equal(json_int(root, "x", JSON_OPTIONAL, 0, 99, &error), 0);
			assert_complaint("x must be an integer");
		}
		if (!json_is_boolean(x)) {
			assert_false(json_bool(root, "x", JSON_OPTIONAL, &error));
			assert_complaint("x must be true or false");
		}
		if (!json_is_object(x)) {
			assert_null(json_object_field(root, "x", JSON_OPTIONAL, &error));
			assert_complaint("x must be an object");
		}
		if (!json_is_array(x)) {
			assert_null(json_array_field(root, "x", JSON_OPTIONAL, 9, &error));
			assert_complaint("x must be an array");
		}
		json_decref(root);
	}
}

static void a_value_out_of_range_is_refused_with_the_range(void **state)
{
	json_t *root = read_good("{\"x\":501}");
	(void)state;

	assert_int_equal(json_int(root, "x", JSON_REQUIRED, 1, 500, &error), 0);
	assert_complaint("x must be 1 to 500");
	json_decref(root);
	root = read_good("{\"x\":1e300}");
	json_int(root, "x", JSON_REQUIRED, 1, 500, &error);
	assert_complaint("x must be an integer");
	json_decref(root);
	root = read_good("{\"x\":\"abcd\"}");
	json_text(root, "x", JSON_REQUIRED, 1, 3, &error);
	assert_complaint("x must be 1 to 3 bytes long");
	json_text(root, "x", JSON_REQUIRED, 5, 9, &error);
	assert_complaint("x must be 5 to 9 bytes long");
	json_decref(root);
	root = read_good("{\"x\":[1,2,3]}");
	assert_null(json_array_field(root, "x", JSON_REQUIRED, 2, &error));
	assert_complaint("x must have at most 2 items");
	json_decref(root);
}

static void identifiers_and_names_are_checked(void **state)
{
	static const char *const values[] = { "", "a b", "a\\u0001", "\xe4\xbd\xa0", "a:b" };
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		char text[64];
		snprintf(text, sizeof(text), "{\"x\":\"%s\"}", values[i]);
		json_t *root = read_good(text);
		assert_null(json_ident(root, "x", JSON_REQUIRED, &error).ptr);
		assert_complaint("x must be 1 to 64 of A-Z a-z 0-9 _ . -");
		json_decref(root);
	}
	json_t *root = read_good("{\"x\":\"a\\u007f\"}");
	assert_null(json_name(root, "x", JSON_REQUIRED, &error).ptr);
	assert_complaint("x must be 1 to 128 characters, none of them a control character");
	json_decref(root);
}

static void the_first_error_stays_and_later_reads_return_nothing(void **state)
{
	json_t *root = read_good("{\"a\":1,\"b\":\"text\",\"n\":7}");
	(void)state;

	json_text(root, "a", JSON_REQUIRED, 0, 9, &error);
	assert_null(json_text(root, "b", JSON_REQUIRED, 0, 9, &error).ptr);
	assert_int_equal(json_int(root, "n", JSON_REQUIRED, 0, 9, &error), 0);
	json_ident(root, "missing", JSON_REQUIRED, &error);
	json_fail(&error, ERR_NOT_FOUND, "other", "there is no other");
	assert_null(json_read(STR("{}"), &error));
	assert_string_equal(error.field, "a");
	assert_string_equal(error.detail, "a must be a string");
	json_decref(root);
}

static void a_field_of_an_inner_object_is_named_by_its_path(void **state)
{
	json_t *root = read_good("{\"to\":{\"user\":5}}");
	json_t *to = json_object_field(root, "to", JSON_REQUIRED, &error);
	(void)state;

	json_prefix(&error, "to.");
	json_ident(to, "user", JSON_OPTIONAL, &error);
	assert_string_equal(error.field, "to.user");
	assert_string_equal(error.detail, "to.user must be a string");
	error.err = OK;
	json_prefix(&error, "");
	json_ident(root, "user", JSON_REQUIRED, &error);
	assert_string_equal(error.detail, "user is required");
	json_decref(root);
}

static void a_failure_of_the_callers_own_is_kept_like_the_others(void **state)
{
	char long_name[200];
	(void)state;

	error = (struct json_error){ 0 };
	json_fail(&error, ERR_NOT_FOUND, NULL, "there is no user %s", "bob");
	assert_int_equal(error.err, ERR_NOT_FOUND);
	assert_string_equal(error.field, "");
	assert_string_equal(error.detail, "there is no user bob");
	error = (struct json_error){ 0 };
	memset(long_name, 'x', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	json_prefix(&error, long_name);
	json_fail(&error, ERR_INVALID_ARGUMENT, long_name, "%s%s", long_name, long_name);
	assert_int_equal(strlen(error.field), sizeof(error.field) - 1);
	assert_int_equal(strlen(error.detail), sizeof(error.detail) - 1);
}

/* Every input gives an object or a sentence that can be shown. The sanitizers watch. */
static void damaged_documents_are_read_or_refused_with_a_sentence(void **state)
{
	static const char good[] =
		"{\"uid\":\"alice\",\"n\":[1,-2.5e3,9223372036854775807],\"to\":{\"user\":\"b\\\"\\u00e4\"},"
		"\"t\":true,\"x\":null}";
	static const char likely[] = "{}[]\",:\\u0019e+-.n\xff\xe4\0 ";
	struct seeded seeded;
	int good_ones = 0;
	(void)state;

	seeded_init(&seeded);
	for (int round = 0; round < 100000; round++) {
		char text[sizeof(good)];
		size_t len = sizeof(good) - 1;
		memcpy(text, good, sizeof(good));
		for (uint64_t damage = seeded_below(&seeded, 4); damage > 0; damage--)
			text[seeded_below(&seeded, len)] = likely[seeded_below(&seeded, sizeof(likely) - 1)];
		if (seeded_below(&seeded, 4) == 0)
			len = seeded_below(&seeded, len);
		/* An exact heap copy: a byte read beyond it is seen. */
		char *copy = str_dup(str_of(text, len));
		json_t *root = read_str(str_of(copy, len));
		assert_int_equal(root == NULL, error.err != OK);
		if (!root) {
			assert_true(strlen(error.detail) > 0);
			assert_true(utf8_is_valid(str_from(error.detail)));
			assert_true(error.field[0] == '\0' || ident_is_valid(str_from(error.field)));
		}
		good_ones += root != NULL;
		json_decref(root);
		free(copy);
	}
	assert_true(good_ones > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(anything_but_one_json_object_is_refused),
		cmocka_unit_test(a_key_given_twice_is_named),
		cmocka_unit_test(a_number_that_no_type_holds_is_named_by_its_field),
		cmocka_unit_test(nesting_ends_at_the_limit),
		cmocka_unit_test(a_megabyte_of_brackets_is_refused_without_recursion),
		cmocka_unit_test(good_fields_are_read),
		cmocka_unit_test(an_absent_optional_field_is_empty_and_null_is_absent),
		cmocka_unit_test(an_absent_required_field_is_an_error),
		cmocka_unit_test(each_wrong_type_is_named),
		cmocka_unit_test(a_value_out_of_range_is_refused_with_the_range),
		cmocka_unit_test(identifiers_and_names_are_checked),
		cmocka_unit_test(the_first_error_stays_and_later_reads_return_nothing),
		cmocka_unit_test(a_field_of_an_inner_object_is_named_by_its_path),
		cmocka_unit_test(a_failure_of_the_callers_own_is_kept_like_the_others),
		cmocka_unit_test(damaged_documents_are_read_or_refused_with_a_sentence),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
