#include "store/redis/redis_uri.h"

#include "base/text/percent.h"

#define DEFAULT_PORT STR("6379")

/* Takes "user:password@" off, up to the last '@': a password may contain one. */
static bool redis_uri_parse_userinfo(struct redis_uri *out, struct str *rest)
{
	const char *at = rest->len ? memrchr(rest->ptr, '@', rest->len) : NULL;

	if (!at)
		return true;
	struct str password = str_of(rest->ptr, (size_t)(at - rest->ptr));
	*rest = str_of(at + 1, rest->len - password.len - 1);
	struct str user = str_cut(&password, ':');
	return password.len > 0 && percent_decode(&out->user, user, PLUS_IS_PLUS) &&
	       percent_decode(&out->password, password, PLUS_IS_PLUS);
}

static bool redis_uri_parse_address(struct redis_uri *out, struct str address)
{
	struct str port = address;
	struct str host;
	uint64_t number;

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
	       str_to_u64(port, &number) && number >= 1 && number <= 65535 && str_copy(out->port, sizeof(out->port), port);
}

bool redis_uri_parse(struct redis_uri *out, struct str uri)
{
	struct str scheme = STR("redis://");
	uint64_t db = 0;

	*out = (struct redis_uri){ .db = 0 };
	if (!str_starts_with(uri, scheme))
		return false;
	struct str rest = str_of(uri.ptr + scheme.len, uri.len - scheme.len);
	bool is_good = redis_uri_parse_userinfo(out, &rest) && redis_uri_parse_address(out, str_cut(&rest, '/')) &&
	               (rest.len == 0 || (str_to_u64(rest, &db) && db <= UINT16_MAX));
	if (!is_good)
		redis_uri_release(out);
	out->db = (unsigned)db;
	return is_good;
}

void redis_uri_release(struct redis_uri *uri)
{
	buf_release(&uri->user);
	buf_release(&uri->password);
}
