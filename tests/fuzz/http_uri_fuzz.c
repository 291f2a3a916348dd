#include "net/http/http_uri.h"

#include "base/text/ident.h"
#include "base/mem.h"
#include "tests/fuzz/fuzz.h"

/* Percent-decoding is compared with a second, slower decoder. The parts of targets and queries are checked. */

#define FIELDS_MAX 8

static int hex(char c)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)((at - digits) % 16) : -1;
}

/* False if it is malformed, or decodes to a forbidden byte. */
static bool decode_slowly(struct str text, bool plus_is_blank, struct buf *out)
{
	while (text.len) {
		size_t step = 1;
		char c = text.ptr[0] == '+' && plus_is_blank ? ' ' : text.ptr[0];

		if (c == '%') {
			if (text.len < 3 || hex(text.ptr[1]) < 0 || hex(text.ptr[2]) < 0)
				return false;
			c = (char)(hex(text.ptr[1]) * 16 + hex(text.ptr[2]));
			step = 3;
		}
		buf_append_char(out, c);
		text = str_of(text.ptr + step, text.len - step);
	}
	return utf8_is_valid(buf_str(out)) && !(out->len && memchr(out->ptr, '\0', out->len));
}

static void check_decode(struct str text, enum percent_plus plus)
{
	struct buf store = { 0 }, expected = { 0 };
	struct str decoded;

	buf_reserve(&store, text.len);
	const char *before = store.ptr;
	bool is_good = uri_decode(text, plus, &store, &decoded);
	CHECK(is_good == decode_slowly(text, plus == PLUS_IS_SPACE, &expected));
	if (is_good) {
		CHECK(str_equal(decoded, buf_str(&expected)));
		CHECK(fuzz_is_inside(decoded, text) || fuzz_is_inside(decoded, buf_str(&store)));
	}
	CHECK(store.ptr == before); /* decoding never makes it longer */
	buf_release(&store);
	buf_release(&expected);
}

/* A whole text: decoded, and no NUL in it. */
static void check_field(struct str field)
{
	CHECK(utf8_is_valid(field) && !(field.len && memchr(field.ptr, '\0', field.len)));
}

static void check_query(struct str query)
{
	struct uri_field fields[FIELDS_MAX];
	struct buf store = { 0 };
	struct str bad = { 0 };

	buf_reserve(&store, query.len);
	const char *before = store.ptr;
	int count = uri_query_read(query, &store, fields, FIELDS_MAX, &bad);
	CHECK(count >= -1 && count <= FIELDS_MAX);
	for (int i = 0; i < count; i++) {
		check_field(fields[i].name);
		check_field(fields[i].value);
		CHECK(fields[i].value.ptr);
	}
	if (count < 0)
		check_field(bad);
	CHECK(store.ptr == before);
	buf_release(&store);
}

static void check_split(struct str target)
{
	struct str path, query;

	uri_split(target, &path, &query);
	CHECK(!(path.len && memchr(path.ptr, '?', path.len)));
	CHECK(fuzz_is_inside(query, target));
	if (!str_starts_with(target, STR("http://"))) {
		CHECK(target.len == path.len + (query.ptr ? query.len + 1 : 0) && fuzz_is_inside(path, target));
	} else {
		/* The authority ends at the first slash or question mark. */
		CHECK(str_starts_with(path, STR("/")));
		CHECK(!query.ptr == !memchr(target.ptr, '?', target.len));
	}
	check_query(query);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct str input = str_of(bytes, len);

	check_decode(input, PLUS_IS_PLUS);
	check_decode(input, PLUS_IS_SPACE);
	check_split(input);
	return 0;
}
