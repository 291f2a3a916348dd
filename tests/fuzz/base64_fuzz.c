#include "base/text/base64.h"

#include "tests/fuzz/fuzz.h"

/* base64url is a bijection: a text decodes if and only if it is the encoding of its result. */

static void check_decoding(struct str text)
{
	struct buf decoded = { 0 }, again = { 0 };

	buf_append_text(&decoded, "before");
	size_t start = decoded.len;
	if (base64url_decode(&decoded, text)) {
		CHECK(decoded.len == start);
	} else {
		CHECK(decoded.len - start == text.len * 3 / 4);
		base64url_encode(&again, str_of(decoded.ptr + start, decoded.len - start));
		CHECK(str_equal(buf_str(&again), text));
	}
	CHECK(str_starts_with(buf_str(&decoded), STR("before")));
	buf_release(&decoded);
	buf_release(&again);
}

static void check_encoding(struct str bytes)
{
	struct buf encoded = { 0 }, again = { 0 };

	base64url_encode(&encoded, bytes);
	CHECK(encoded.len == (bytes.len * 4 + 2) / 3);
	CHECK(base64url_decode(&again, buf_str(&encoded)) == OK);
	CHECK(str_equal(buf_str(&again), bytes));
	buf_release(&encoded);
	buf_release(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	check_decoding(str_of(bytes, len));
	check_encoding(str_of(bytes, len));
	return 0;
}
