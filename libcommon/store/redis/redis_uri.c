#include "store/redis/redis_uri.h"

#include "base/macros.h"

#define DEFAULT_PORT STR("6379")

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static bool percent_decode(struct buf *out, struct str text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] != '%') {
			buf_append_char(out, text.ptr[i]);
			continue;
		}
		if (text.len - i < 3)
			return false;
		int high = hex_digit(text.ptr[i + 1]), low = hex_digit(text.ptr[i + 2]);
		if (high < 0 || low < 0)
			return false;
		buf_append_char(out, (char)(high << 4 | low));
		i += 2;
	}
	return true;
}

/* Cuts at the last '@': a password may hold one. */
static struct str cut_userinfo(struct str *rest)
{
	const char *at = rest->len ? memrchr(rest->ptr, '@', rest->len) : NULL;

	if (!at)
		return (struct str){ NULL, 0 };
	struct str userinfo = str_of(rest->ptr, (size_t)(at - rest->ptr));
	*rest = str_of(at + 1, rest->len - userinfo.len - 1);
	return userinfo;
}

static bool parse_userinfo(struct redis_uri *out, struct str userinfo)
{
	if (!userinfo.ptr)
		return true;
	struct str password = userinfo;
	struct str user = str_cut(&password, ':');
	return password.len > 0 && percent_decode(&out->user, user) && percent_decode(&out->password, password);
}

static bool parse_port(struct redis_uri *out, struct str port)
{
	uint64_t number;

	return str_to_u64(port, &number) && number >= 1 && number <= 65535 && str_copy(out->port, sizeof(out->port), port);
}

static bool parse_address(struct redis_uri *out, struct str address)
{
	struct str port = address;
	struct str host;

	if (str_starts_with(address, STR("["))) {
		port = str_of(address.ptr + 1, address.len - 1);
		host = str_cut(&port, ']');
		if (!port.ptr || (port.len > 0 && port.ptr[0] != ':') || !memchr(host.ptr, ':', host.len))
			return false;
		port = port.len ? str_of(port.ptr + 1, port.len - 1) : DEFAULT_PORT;
	} else {
		host = str_cut(&port, ':');
		if (!port.ptr)
			port = DEFAULT_PORT;
	}
	return host.len > 0 && !memchr(host.ptr, '\0', host.len) && str_copy(out->host, sizeof(out->host), host) &&
	       parse_port(out, port);
}

static bool parse_db(struct redis_uri *out, struct str db)
{
	uint64_t number = 0;

	if (db.len > 0 && (!str_to_u64(db, &number) || number > UINT16_MAX))
		return false;
	out->db = (unsigned)number;
	return true;
}

bool redis_uri_parse(struct redis_uri *out, struct str uri)
{
	struct str scheme = STR("redis://");

	*out = (struct redis_uri){ .db = 0 };
	if (!str_starts_with(uri, scheme))
		return false;
	struct str rest = str_of(uri.ptr + scheme.len, uri.len - scheme.len);
	struct str userinfo = cut_userinfo(&rest);
	struct str address = str_cut(&rest, '/');
	if (parse_userinfo(out, userinfo) && parse_address(out, address) && parse_db(out, rest))
		return true;
	redis_uri_release(out);
	return false;
}

void redis_uri_release(struct redis_uri *uri)
{
	buf_release(&uri->user);
	buf_release(&uri->password);
}
