#include "base/text/utf8.h"

static bool utf8_is_continuation(char byte)
{
	return ((unsigned char)byte & 0xc0) == 0x80;
}

size_t utf8_first(struct str s, uint32_t *code_point)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint32_t value;
	size_t len;

	if (s.len == 0)
		return 0;
	unsigned char lead = (unsigned char)s.ptr[0];
	if (lead < 0x80) {
		*code_point = lead;
		return 1;
	}
	if ((lead & 0xe0) == 0xc0) {
		len = 2;
		value = lead & 0x1f;
	} else if ((lead & 0xf0) == 0xe0) {
		len = 3;
		value = lead & 0x0f;
	} else if ((lead & 0xf8) == 0xf0) {
		len = 4;
		value = lead & 0x07;
	} else {
		return 0;
	}
	if (s.len < len)
		return 0;
	for (size_t i = 1; i < len; i++) {
		if (!utf8_is_continuation(s.ptr[i]))
			return 0;
		value = value << 6 | ((unsigned char)s.ptr[i] & 0x3f);
	}
	if (value < least[len] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
		return 0;
	*code_point = value;
	return len;
}

/* How many bytes of plain ASCII `s` starts with, eight at a time. */
static size_t utf8_ascii_run(struct str s)
{
	uint64_t word;
	size_t len = 0;

	for (; s.len - len >= sizeof(word); len += sizeof(word)) {
		memcpy(&word, s.ptr + len, sizeof(word));
		if (word & 0x8080808080808080u)
			break;
	}
	while (len < s.len && (unsigned char)s.ptr[len] < 0x80)
		len++;
	return len;
}

bool utf8_is_valid(struct str s)
{
	uint32_t code_point;

	for (;;) {
		size_t run = utf8_ascii_run(s);
		if (run == s.len)
			return true;
		s = str_of(s.ptr + run, s.len - run);
		size_t len = utf8_first(s, &code_point);
		if (len == 0)
			return false;
		s = str_of(s.ptr + len, s.len - len);
	}
}

struct str utf8_cut(struct str s, size_t max)
{
	if (s.len <= max)
		return s;
	s.len = max;
	/* A character has at most three continuation bytes. */
	while (s.len && max - s.len < 3 && utf8_is_continuation(s.ptr[s.len]))
		s.len--;
	return s;
}

size_t utf8_length(struct str s)
{
	size_t count = 0;

	for (size_t i = 0; i < s.len; i++)
		count += !utf8_is_continuation(s.ptr[i]);
	return count;
}

bool code_point_is_control(uint32_t code_point)
{
	return code_point < 0x20 || (code_point >= 0x7f && code_point < 0xa0) ||
	       code_point == 0x2028 || code_point == 0x2029;
}
