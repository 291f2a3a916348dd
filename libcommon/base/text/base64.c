#include "base/text/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void base64url_encode(struct buf *out, struct str bytes)
{
	const unsigned char *in = (const unsigned char *)bytes.ptr;
	size_t left = bytes.len;
	char *at = buf_reserve(out, left / 3 * 4 + 4);
	char *start = at;

	for (; left >= 3; in += 3, left -= 3) {
		*at++ = alphabet[in[0] >> 2];
		*at++ = alphabet[(in[0] & 3) << 4 | in[1] >> 4];
		*at++ = alphabet[(in[1] & 15) << 2 | in[2] >> 6];
		*at++ = alphabet[in[2] & 63];
	}
	if (left) {
		unsigned second = left == 2 ? in[1] : 0;
		*at++ = alphabet[in[0] >> 2];
		*at++ = alphabet[(in[0] & 3) << 4 | second >> 4];
		if (left == 2)
			*at++ = alphabet[(second & 15) << 2];
	}
	out->len += (size_t)(at - start);
}

static int base64_value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '-')
		return 62;
	return c == '_' ? 63 : -1;
}

err_t base64url_decode(struct buf *out, struct str text)
{
	size_t len_before = out->len;
	unsigned bits = 0, bit_count = 0;

	if (text.len % 4 == 1)
		return ERR_INVALID_ARGUMENT;
	buf_reserve(out, text.len / 4 * 3 + 2);
	for (size_t i = 0; i < text.len; i++) {
		int value = base64_value_of(text.ptr[i]);
		if (value < 0)
			goto refuse;
		bits = bits << 6 | (unsigned)value;
		bit_count += 6;
		if (bit_count >= 8) {
			bit_count -= 8;
			out->ptr[out->len++] = (char)(bits >> bit_count & 0xff);
		}
	}
	if ((bits & ((1u << bit_count) - 1)) == 0)
		return OK;
refuse:
	out->len = len_before;
	return ERR_INVALID_ARGUMENT;
}
