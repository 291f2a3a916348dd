#include "store/redis/redis_uri.h"

#include "tests/fuzz/fuzz.h"

/* A URI that is accepted, written again in full and with everything encoded, names the same server. */

static void put_encoded(struct buf *out, struct str text)
{
	for (size_t i = 0; i < text.len; i++)
		buf_printf(out, "%%%02x", (unsigned char)text.ptr[i]);
}

static void put_uri(struct buf *out, const struct redis_uri *uri)
{
	bool is_ipv6 = strchr(uri->host, ':');

	buf_append_text(out, "redis://");
	if (uri->password.len) {
		put_encoded(out, buf_str(&uri->user));
		buf_append_char(out, ':');
		put_encoded(out, buf_str(&uri->password));
		buf_append_char(out, '@');
	}
	buf_printf(out, is_ipv6 ? "[%s]:%s/%u" : "%s:%s/%u", uri->host, uri->port, uri->db);
}

static void check_accepted(const struct redis_uri *uri)
{
	struct redis_uri again;
	struct buf text = { 0 };
	uint64_t port = 0;

	CHECK(uri->host[0] && str_to_u64(str_from(uri->port), &port) && port >= 1 && port <= 65535);
	CHECK(!uri->user.len || uri->password.len);
	put_uri(&text, uri);
	CHECK(redis_uri_parse(&again, buf_str(&text)));
	CHECK(!strcmp(uri->host, again.host) && !strcmp(uri->port, again.port) && uri->db == again.db);
	CHECK(str_equal(buf_str(&uri->user), buf_str(&again.user)));
	CHECK(str_equal(buf_str(&uri->password), buf_str(&again.password)));
	redis_uri_release(&again);
	buf_release(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct redis_uri uri;

	if (redis_uri_parse(&uri, str_of(bytes, len))) {
		check_accepted(&uri);
		redis_uri_release(&uri);
	}
	return 0;
}
