#include "base/text/json.h"

#include "base/macros.h"
#include "tests/fuzz/fuzz.h"

/*
* A document that json_read() accepts can be written and read again with the same
 * meaning. A refusal is explained. Every getter agrees with the type of the value,
 * and does nothing once there is an error.
 */

static void check_refusal(const struct json_error *error)
{
	CHECK(error->err == ERR_INVALID_ARGUMENT);
	CHECK(error->detail[0] && utf8_is_valid(str_from(error->detail)));
	CHECK(!error->field[0] || ident_is_valid(str_from(error->field)));
}

static int depth_of(const json_t *value)
{
	int deepest = 0, depth;
	const char *key;
	json_t *item;
	size_t i;

	if (!json_is_object(value) && !json_is_array(value))
		return 0;
	json_object_foreach((json_t *)value, key, item)
	{
		depth = depth_of(item); /* once: MAX() evaluates it twice */
		deepest = MAX(deepest, depth);
	}
	json_array_foreach(value, i, item)
	{
		depth = depth_of(item);
		deepest = MAX(deepest, depth);
	}
	return deepest + 1;
}

static void check_round_trip(const json_t *root)
{
	struct buf written = { 0 }, again = { 0 };
	struct json_error error = { 0 };

	json_dump_compact(&written, root);
	CHECK(utf8_is_valid(buf_str(&written)));
	CHECK(!memchr(written.ptr, '\n', written.len) && !memchr(written.ptr, '\0', written.len));
	json_t *reread = json_read(buf_str(&written), &error);
	CHECK(reread && json_equal(root, (json_t *)reread));
	json_dump_compact(&again, reread);
	CHECK(str_equal(buf_str(&written), buf_str(&again)));
	json_decref(reread);
	buf_release(&written);
	buf_release(&again);
}

/* Checks the error after one getter: there must be none if `is_fine`. Clears it. */
static void judge(struct json_error *error, bool is_fine)
{
	CHECK(!error->err == is_fine);
	CHECK(is_fine || (error->err == ERR_INVALID_ARGUMENT && error->detail[0] && !strncmp(error->field, "at.", 3)));
	*error = (struct json_error){ .prefix = "at." };
}

static void check_texts(const json_t *root, const char *key, enum json_presence presence, bool may_lack)
{
	const json_t *value = json_object_get(root, key);
	struct str text = str_of(json_string_value(value), json_string_length(value));
	struct json_error error = { .prefix = "at." };

	struct str got = json_text(root, key, presence, 2, 9, &error);
	bool fits = text.ptr && text.len >= 2 && text.len <= 9;
	CHECK(str_equal(got, fits ? text : STR("")) && !got.ptr == !fits);
	judge(&error, may_lack || fits);
	got = json_ident(root, key, presence, &error);
	CHECK(!got.ptr || (ident_is_valid(got) && str_equal(got, text)));
	judge(&error, may_lack || (text.ptr && ident_is_valid(text)));
	got = json_name(root, key, presence, &error);
	CHECK(!got.ptr || (display_name_is_valid(got) && str_equal(got, text)));
	judge(&error, may_lack || (text.ptr && display_name_is_valid(text)));
}

static void check_others(const json_t *root, const char *key, enum json_presence presence, bool may_lack)
{
	json_t *value = json_object_get(root, key);
	struct json_error error = { .prefix = "at." };

	int64_t number = json_int(root, key, presence, -3, 1000, &error);
	CHECK(error.err ? number == 0 : number >= -3 && number <= 1000);
	CHECK(error.err || may_lack || json_number_value(value) == (double)number);
	judge(&error, !error.err && (may_lack || json_is_number(value)));
	number = json_int(root, key, presence, INT64_MIN, INT64_MAX, &error);
	CHECK(!json_is_integer(value) || (!error.err && number == json_integer_value(value)));
	error = (struct json_error){ .prefix = "at." };
	bool truth = json_bool(root, key, presence, &error);
	CHECK(truth == json_is_true(value));
	judge(&error, may_lack || json_is_boolean(value));
	json_t *inner = json_object_field(root, key, presence, &error);
	CHECK(inner == (json_is_object(value) ? value : NULL));
	judge(&error, may_lack || json_is_object(value));
	inner = json_array_field(root, key, presence, 3, &error);
	bool fits = json_is_array(value) && json_array_size(value) <= 3;
	CHECK(inner == (fits ? value : NULL));
	judge(&error, may_lack || fits);
}

static void check_field(const json_t *root, const char *key)
{
	const json_t *value = json_object_get(root, key);
	bool is_absent = !value || json_is_null(value);

	check_texts(root, key, JSON_REQUIRED, false);
	check_texts(root, key, JSON_OPTIONAL, is_absent);
	check_others(root, key, JSON_OPTIONAL, is_absent);
	if (!is_absent)
		check_others(root, key, JSON_REQUIRED, false);
}

static void check_chain(const json_t *root, const char *key)
{
	struct json_error error = { 0 }, before;

	json_fail(&error, ERR_MUTED, "first", "the first");
	before = error;
	CHECK(!json_text(root, key, JSON_REQUIRED, 0, SIZE_MAX, &error).ptr);
	CHECK(!json_int(root, key, JSON_REQUIRED, INT64_MIN, INT64_MAX, &error));
	CHECK(!json_bool(root, key, JSON_REQUIRED, &error));
	CHECK(!json_object_field(root, key, JSON_REQUIRED, &error));
	CHECK(!json_array_field(root, key, JSON_REQUIRED, SIZE_MAX, &error));
	CHECK(memcmp(&error, &before, sizeof(error)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct json_error error = { 0 };
	json_t *root = json_read(str_of(bytes, len), &error), *value;
	const char *key;

	if (!root) {
		check_refusal(&error);
		return 0;
	}
	CHECK(!error.err && json_is_object(root) && depth_of(root) <= JSON_MAX_DEPTH);
	CHECK(utf8_is_valid(str_of(bytes, len)));
	check_round_trip(root);
	json_object_foreach(root, key, value)
	{
		if (!*key) /* not a field that a getter asked for */
			continue;
		check_field(root, key);
		check_chain(root, key);
	}
	check_field(root, "a key that is not there");
	json_decref(root);
	return 0;
}
