#include "base/text/percent.h"

static int percent_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool percent_decode(struct buf *out, struct str text, enum percent_plus plus)
{
	size_t len_before = out->len;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		if (c == '+' && plus == PLUS_IS_SPACE) {
			c = ' ';
		} else if (c == '%') {
			int high = i + 2 < text.len ? percent_digit(text.ptr[i + 1]) : -1;
			int low = high >= 0 ? percent_digit(text.ptr[i + 2]) : -1;
			if (low < 0) {
				out->len = len_before;
				return false;
			}
			c = (char)(high << 4 | low);
			i += 2;
		}
		buf_append_char(out, c);
	}
	return true;
}
