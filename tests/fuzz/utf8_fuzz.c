#include "base/text/utf8.h"

#include "base/macros.h"
#include "tests/fuzz/fuzz.h"

/* A second reader of UTF-8, from the grammar of RFC 3629 section 4: which bytes may follow which. */

struct form {
	unsigned char lead_from, lead_to, second_from, second_to;
	size_t len;
};

static const struct form forms[] = {
	{ 0x00, 0x7f, 0, 0, 1 },
	{ 0xc2, 0xdf, 0x80, 0xbf, 2 },
	{ 0xe0, 0xe0, 0xa0, 0xbf, 3 },
	{ 0xe1, 0xec, 0x80, 0xbf, 3 },
	{ 0xed, 0xed, 0x80, 0x9f, 3 },
	{ 0xee, 0xef, 0x80, 0xbf, 3 },
	{ 0xf0, 0xf0, 0x90, 0xbf, 4 },
	{ 0xf1, 0xf3, 0x80, 0xbf, 4 },
	{ 0xf4, 0xf4, 0x80, 0x8f, 4 },
};

static bool follows(const struct form *form, const uint8_t *at, size_t left)
{
	if (left < form->len)
		return false;
	if (form->len > 1 && (at[1] < form->second_from || at[1] > form->second_to))
		return false;
	for (size_t i = 2; i < form->len; i++)
		if (at[i] < 0x80 || at[i] > 0xbf)
			return false;
	return true;
}

/* Length of the first character; 0 if there is none. */
static size_t first_len(const uint8_t *at, size_t left)
{
	for (size_t i = 0; left && i < ARRAY_LEN(forms); i++)
		if (at[0] >= forms[i].lead_from && at[0] <= forms[i].lead_to)
			return follows(&forms[i], at, left) ? forms[i].len : 0;
	return 0;
}

/* Encodes a code point: the inverse of the parser. */
static size_t encode(uint32_t code_point, char out[4])
{
	static const unsigned char leads[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
	size_t len = code_point < 0x80 ? 1 : code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;

	for (size_t i = len; i-- > 1; code_point >>= 6)
		out[i] = (char)(0x80 | (code_point & 0x3f));
	out[0] = (char)(leads[len] | code_point);
	return len;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	size_t at = 0, count = 0;

	for (; at < len; count++) {
		uint32_t code_point = 0;
		char encoded[4];
		size_t expected = first_len(bytes + at, len - at);
		size_t step = utf8_first(str_of(bytes + at, len - at), &code_point);

		CHECK(step == expected);
		if (!step)
			break;
		CHECK(encode(code_point, encoded) == step);
		CHECK(memcmp(encoded, bytes + at, step) == 0);
		at += step;
	}
	CHECK(utf8_is_valid(str_of(bytes, len)) == (at == len));
	CHECK(utf8_is_valid(str_of(bytes, at)));
	CHECK(utf8_length(str_of(bytes, at)) == count);
	return 0;
}
