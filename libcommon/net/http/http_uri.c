#include "net/http/http_uri.h"

#include "base/text/utf8.h"

bool uri_decode(struct str text, enum percent_plus plus, struct buf *store, struct str *out)
{
	bool has_plus = plus == PLUS_IS_SPACE && text.len && memchr(text.ptr, '+', text.len);

	*out = text;
	if (has_plus || (text.len && memchr(text.ptr, '%', text.len))) {
		size_t start = store->len;
		if (!percent_decode(store, text, plus))
			return false;
		*out = str_of(store->ptr + start, store->len - start);
	}
	return utf8_is_valid(*out) && !(out->len && memchr(out->ptr, '\0', out->len));
}

void uri_split(struct str target, struct str *path, struct str *query)
{
	bool is_absolute = str_starts_with(target, STR("http://"));

	if (is_absolute) {
		/* The host ends at the first slash or question mark. The path may be missing. */
		size_t at = sizeof("http://") - 1;
		while (at < target.len && target.ptr[at] != '/' && target.ptr[at] != '?')
			at++;
		target = str_of(target.ptr + at, target.len - at);
	}
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
			fields[count].value = STR(""); /* "?flag": present and empty */
		count++;
	}
	return count;
}
