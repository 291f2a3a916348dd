#include "net/http/http_routes.h"

#include "base/macros.h"
#include "tests/fuzz/fuzz.h"

/* "METHOD path": pattern and parameters of the route that is found give the path again; 405 and Allow agree. */

static const struct http_route table[] = {
	{ "GET", "/", NULL, NULL },
	{ "GET", "/v1/users/me", NULL, NULL },
	{ "PATCH", "/v1/users/me", NULL, NULL },
	{ "GET", "/v1/users/{uid}", NULL, NULL },
	{ "DELETE", "/v1/users/{uid}", NULL, NULL },
	{ "POST", "/v1/groups", NULL, NULL },
	{ "PUT", "/v1/groups/{gid}/members/{uid}/role", NULL, NULL },
	{ "POST", "/v1/groups/{gid}/{what}/{uid}/accept", NULL, NULL },
	{ "GET", "/{any}", NULL, NULL },
};

static const struct http_routes *our_routes(void)
{
	static struct http_routes *routes;

	if (!routes)
		routes = http_routes_new(table, ARRAY_LEN(table));
	return routes;
}

static void check_match(const struct http_match *match, struct str path)
{
	struct str pattern = str_from(match->route->path);
	struct buf built = { 0 };
	unsigned count = 0;

	str_cut(&pattern, '/');
	while (pattern.ptr) {
		struct str segment = str_cut(&pattern, '/');

		buf_append_char(&built, '/');
		if (str_starts_with(segment, STR("{"))) {
			struct str name = http_route_param_name(match->route, count);

			CHECK(str_equal(name, str_of(segment.ptr + 1, segment.len - 2)));
			CHECK(count < match->param_count);
			segment = match->params[count++];
			CHECK(segment.len && !memchr(segment.ptr, '/', segment.len) && fuzz_is_inside(segment, path));
		}
		buf_append_str(&built, segment);
	}
	CHECK(count == match->param_count);
	CHECK(str_equal(buf_str(&built), path));
	buf_release(&built);
}

static bool allows(struct str allowed, struct str method)
{
	while (allowed.ptr) {
		struct str one = str_cut(&allowed, ',');

		if (str_equal(one, method))
			return true;
		if (allowed.ptr)
			CHECK(fuzz_byte(&allowed) == ' ');
	}
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct str path = str_of(bytes, len);
	struct str method = str_cut(&path, ' ');
	struct http_match match;
	struct buf allowed = { 0 };
	bool can_be_method = method.len && !memchr(method.ptr, ',', method.len);

	err_t err = http_routes_find(our_routes(), method, path, &match);
	http_routes_allowed(our_routes(), path, &allowed);
	CHECK(err == OK || err == ERR_NOT_FOUND || err == ERR_METHOD_NOT_ALLOWED);
	CHECK((err == ERR_NOT_FOUND) == (allowed.len == 0));
	CHECK(!can_be_method || (err == OK) == allows(buf_str(&allowed), method));
	if (err == OK)
		check_match(&match, path);
	else
		CHECK(!match.route && match.param_count == 0);
	buf_release(&allowed);
	return 0;
}
