#include "net/http/http_uri.h"

#include "base/text/ident.h"

static int uri_hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static bool uri_is_encoded(struct str text, enum uri_plus plus)
{
	return text.len && (memchr(text.ptr, '%', text.len) ||
	                    (plus == PLUS_IS_SPACE && memchr(text.ptr, '+', text.len)));
}

static bool uri_append_decoded(struct buf *store, struct str text, enum uri_plus plus)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		if (c == '+' && plus == PLUS_IS_SPACE) {
			c = ' ';
		} else if (c == '%') {
			int high = i + 2 < text.len ? uri_hex_value(text.ptr[i + 1]) : -1;
			int low = high >= 0 ? uri_hex_value(text.ptr[i + 2]) : -1;
			if (low < 0)
				return false;
			c = (char)(high << 4 | low);
			i += 2;
		}
		buf_append_char(store, c);
	}
	return true;
}

bool uri_decode(struct str text, enum uri_plus plus, struct buf *store, struct str *out)
{
	*out = text;
	if (uri_is_encoded(text, plus)) {
		size_t start = store->len;
		if (!uri_append_decoded(store, text, plus))
			return false;
		*out = str_of(store->ptr + start, store->len - start);
	}
	return utf8_is_valid(*out) && !(out->len && memchr(out->ptr, '\0', out->len));
}

/* "host/path?query" without the host, which ends at the first slash or question mark; the path may lack. */
static struct str uri_skip_authority(struct str rest)
{
	size_t len = 0;

	while (len < rest.len && rest.ptr[len] != '/' && rest.ptr[len] != '?')
		len++;
	return str_of(rest.ptr + len, rest.len - len);
}

void uri_split(struct str target, struct str *path, struct str *query)
{
	bool is_absolute = str_starts_with(target, STR("http://"));

	if (is_absolute)
		target = uri_skip_authority(str_of(target.ptr + 7, target.len - 7));
	*path = str_cut(&target, '?');
	*query = target;
	if (is_absolute && path->len == 0)
		*path = STR("/");
}

int uri_query_read(struct str query, struct buf *store, struct uri_field *fields, int max, struct str *bad)
{
	int count = 0;

	*bad = STR("");
	while (query.ptr) {
		struct str value = str_cut(&query, '&');
		if (value.len == 0)
			continue;
		struct str name = str_cut(&value, '=');
		if (count == max || !uri_decode(name, PLUS_IS_SPACE, store, &fields[count].name))
			return -1;
		if (!uri_decode(value, PLUS_IS_SPACE, store, &fields[count].value)) {
			*bad = fields[count].name;
			return -1;
		}
		if (!fields[count].value.ptr)
			fields[count].value = STR(""); /* "?flag": there, and empty */
		count++;
	}
	return count;
}
