/* Texts that users chose, on an operator's terminal. */

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>

#include "base/text/utf8.h"
#include "tools/skeinctl/skeinctl.h"

/* Characters besides controls that change how a terminal shows text, or are invisible: bidirectional marks, operators,
 * language tags. */
static const struct {
	uint32_t first, last;
} visible_hidden[] = {
	{ 0x00ad, 0x00ad }, { 0x061c, 0x061c }, { 0x180e, 0x180e }, { 0x200b, 0x200c },   { 0x200e, 0x200f },
	{ 0x202a, 0x202e }, { 0x2060, 0x206f }, { 0xfeff, 0xfeff }, { 0xfff9, 0xfffb }, { 0xe0000, 0xe007f },
};

static bool visible_is_hidden(uint32_t code_point)
{
	for (size_t i = 0; i < ARRAY_LEN(visible_hidden); i++)
		if (code_point >= visible_hidden[i].first && code_point <= visible_hidden[i].last)
			return true;
	return code_point_is_control(code_point);
}

/* Columns of a character; -1 for one that cannot be shown. */
static int visible_width(uint32_t code_point)
{
	static bool has_locale;

	if (!has_locale) {
		/* wcwidth() knows Unicode in this locale, which glibc has built in, whatever the user's own is. */
		(void)setlocale(LC_CTYPE, "C.UTF-8");
		has_locale = true;
	}
	return visible_is_hidden(code_point) ? -1 : wcwidth((wchar_t)code_point);
}

/* As JSON writes it, above U+FFFF as two surrogates. */
static void visible_append_escape(struct buf *out, uint32_t code_point)
{
	if (code_point == '\n')
		buf_append_text(out, "\\n");
	else if (code_point == '\t')
		buf_append_text(out, "\\t");
	else if (code_point < 0x10000)
		buf_printf(out, "\\u%04x", code_point);
	else
		buf_printf(out, "\\u%04x\\u%04x", 0xd7c0 + (code_point >> 10), 0xdc00 + (code_point & 0x3ff));
}

/* Appends the first character of `text`; returns how many bytes it had, and its width. */
static size_t visible_append_first(struct buf *out, struct str text, size_t *width)
{
	uint32_t code_point;
	size_t len = utf8_first(text, &code_point), before = out->len;

	if (!len) {
		buf_printf(out, "\\x%02x", (unsigned char)*text.ptr);
		*width = out->len - before;
		return 1;
	}
	int columns = visible_width(code_point);
	if (columns < 0) {
		visible_append_escape(out, code_point);
		*width = out->len - before;
	} else {
		buf_append(out, text.ptr, len);
		*width = (size_t)columns;
	}
	return len;
}

size_t visible_append(struct buf *out, struct str text, size_t columns_max)
{
	size_t columns = 0, cut_at = out->len, cut_columns = 0, width;

	while (text.len) {
		size_t len = visible_append_first(out, text, &width);

		if (width > columns_max - columns) {
			out->len = cut_at;
			buf_append_text(out, "…");
			return cut_columns + 1;
		}
		columns += width;
		if (columns < columns_max) { /* here there is room for the "…" */
			cut_at = out->len;
			cut_columns = columns;
		}
		text = str_of(text.ptr + len, text.len - len);
	}
	return columns;
}

void visible_append_json(struct buf *out, struct str json)
{
	uint32_t code_point;

	while (json.len) {
		size_t len = utf8_first(json, &code_point);

		/* ASCII controls are outside of strings here: blanks between the members. */
		if (len > 1 && visible_is_hidden(code_point))
			visible_append_escape(out, code_point);
		else
			buf_append(out, json.ptr, len ? len : 1);
		json = str_of(json.ptr + (len ? len : 1), json.len - (len ? len : 1));
	}
}

void visible_print_json(const json_t *value)
{
	char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
	struct buf out = { 0 };

	visible_append_json(&out, str_from(text));
	printf("%s\n", buf_text(&out));
	buf_release(&out);
	free(text);
}
