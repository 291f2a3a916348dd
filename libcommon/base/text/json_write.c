#include <stdio.h>
#include <stdlib.h>

#include "base/text/json.h"

/*
 * How many bytes need no escape. RFC 8259 wants one for the quote, the backslash and the control characters below the
 * blank. Looks at eight bytes at a time.
 */
static size_t json_plain_run(const char *bytes, size_t len)
{
	const uint64_t ones = 0x0101010101010101u, highs = ones << 7;
	size_t run = 0;
	uint64_t word;

	/* (x - n) & ~x has the high bit of the first byte below n; x ^ c is zero where the byte is c. */
	for (; len - run >= sizeof(word); run += sizeof(word)) {
		memcpy(&word, bytes + run, sizeof(word));
		uint64_t quote = word ^ ones * '"', backslash = word ^ ones * '\\';
		if (((word - ones * ' ') & ~word & highs) | ((quote - ones) & ~quote & highs) |
		    ((backslash - ones) & ~backslash & highs))
			break;
	}
	while (run < len && (unsigned char)bytes[run] >= ' ' && bytes[run] != '"' && bytes[run] != '\\')
		run++;
	return run;
}

static void json_put_escape(struct buf *out, char c)
{
	static const char letters[' '] = {
		['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't',
	};

	buf_append_char(out, '\\');
	if (c == '"' || c == '\\')
		buf_append_char(out, c);
	else if (letters[(unsigned char)c])
		buf_append_char(out, letters[(unsigned char)c]);
	else
		buf_printf(out, "u%04x", (unsigned char)c);
}

void json_put_string(struct buf *out, struct str s)
{
	buf_reserve(out, s.len + 2);
	buf_append_char(out, '"');
	for (size_t at = 0; at < s.len;) {
		size_t run = json_plain_run(s.ptr + at, s.len - at);
		buf_append(out, s.ptr + at, run);
		at += run;
		if (at < s.len)
			json_put_escape(out, s.ptr[at++]);
	}
	buf_append_char(out, '"');
}

void json_put_key(struct buf *out, const char *key)
{
	if (out->len && out->ptr[out->len - 1] != '{')
		buf_append_char(out, ',');
	json_put_string(out, str_from(key));
	buf_append_char(out, ':');
}

void json_put_field(struct buf *out, const char *key, struct str value)
{
	json_put_key(out, key);
	json_put_string(out, value);
}

void json_put_u64_field(struct buf *out, const char *key, uint64_t value)
{
	json_put_key(out, key);
	buf_append_u64(out, value);
}

void json_put_bool_field(struct buf *out, const char *key, bool value)
{
	json_put_key(out, key);
	buf_append_str(out, value ? STR("true") : STR("false"));
}

void json_put_id_field(struct buf *out, const char *key, uint64_t id)
{
	json_put_key(out, key);
	buf_append_char(out, '"');
	buf_append_u64(out, id);
	buf_append_char(out, '"');
}

/* The fewest digits that read back as the same number. It stays a real: 1.0, not 1. */
static void json_put_real(struct buf *out, double real)
{
	char digits[32];

	for (int precision = 15; precision <= 17; precision++) {
		snprintf(digits, sizeof(digits), "%.*g", precision, real);
		if (strtod(digits, NULL) == real)
			break;
	}
	buf_append_text(out, digits);
	if (!strpbrk(digits, ".e"))
		buf_append_text(out, ".0");
}

static void json_put_object(struct buf *out, const json_t *object)
{
	json_t *walked = (json_t *)object; /* jansson's iterators are not const */

	buf_append_char(out, '{');
	for (void *at = json_object_iter(walked); at; at = json_object_iter_next(walked, at)) {
		if (out->ptr[out->len - 1] != '{')
			buf_append_char(out, ',');
		json_put_string(out, str_of(json_object_iter_key(at), json_object_iter_key_len(at)));
		buf_append_char(out, ':');
		json_dump_compact(out, json_object_iter_value(at));
	}
	buf_append_char(out, '}');
}

static void json_put_array(struct buf *out, const json_t *array)
{
	buf_append_char(out, '[');
	for (size_t i = 0; i < json_array_size(array); i++) {
		if (i)
			buf_append_char(out, ',');
		json_dump_compact(out, json_array_get(array, i));
	}
	buf_append_char(out, ']');
}

/* Recurses as deep as the value is nested. A value from json_read() is nested at most JSON_MAX_DEPTH deep. */
void json_dump_compact(struct buf *out, const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		json_put_object(out, value);
		break;
	case JSON_ARRAY:
		json_put_array(out, value);
		break;
	case JSON_STRING:
		json_put_string(out, str_of(json_string_value(value), json_string_length(value)));
		break;
	case JSON_INTEGER:
		buf_append_i64(out, json_integer_value(value));
		break;
	case JSON_REAL:
		json_put_real(out, json_real_value(value));
		break;
	case JSON_TRUE:
		buf_append_str(out, STR("true"));
		break;
	case JSON_FALSE:
		buf_append_str(out, STR("false"));
		break;
	case JSON_NULL:
		buf_append_str(out, STR("null"));
		break;
	}
}
