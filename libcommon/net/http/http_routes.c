#include "net/http/http_routes.h"

#include <assert.h>

#include "base/mem.h"

/* "/v1/users/{uid}": the literal beginning is "/v1/users/", the segments are "v1", "users" and a parameter. */
struct row {
	const struct http_route *route;
	struct str method;
	struct str beginning;
	unsigned segment_count;
	struct str segments[ROUTE_MAX_SEGMENTS];
};

struct http_routes {
	size_t count;
	struct row rows[];
};

static bool routes_is_param(struct str segment)
{
	return segment.len && segment.ptr[0] == '{';
}

static unsigned routes_count_segments(struct str path)
{
	unsigned count = 0;

	for (size_t i = 0; i < path.len; i++)
		count += path.ptr[i] == '/';
	return count;
}

struct http_routes *http_routes_new(const struct http_route *table, size_t count)
{
	struct http_routes *routes = mem_zalloc(sizeof(*routes) + count * sizeof(routes->rows[0]));

	routes->count = count;
	for (size_t i = 0; i < count; i++) {
		struct row *row = &routes->rows[i];
		struct str pattern = str_from(table[i].path);
		const char *brace = strchr(table[i].path, '{');

		assert(pattern.len && pattern.ptr[0] == '/');
		row->route = &table[i];
		row->method = str_from(table[i].method);
		row->beginning = brace ? str_of(pattern.ptr, (size_t)(brace - pattern.ptr)) : pattern;
		row->segment_count = routes_count_segments(pattern);
		assert(row->segment_count <= ROUTE_MAX_SEGMENTS);
		str_cut(&pattern, '/');
		for (unsigned s = 0; s < row->segment_count; s++) {
			row->segments[s] = str_cut(&pattern, '/');
			assert(!routes_is_param(row->segments[s]) ||
			       (row->segments[s].len > 2 && row->segments[s].ptr[row->segments[s].len - 1] == '}'));
		}
	}
	return routes;
}

void http_routes_free(struct http_routes *routes)
{
	mem_free(routes);
}

static bool routes_path_matches(const struct row *row, struct str path, unsigned segment_count, struct http_match *match)
{
	if (segment_count != row->segment_count || !str_starts_with(path, row->beginning))
		return false;
	match->param_count = 0;
	str_cut(&path, '/');
	for (unsigned i = 0; i < segment_count; i++) {
		struct str segment = str_cut(&path, '/');
		if (!routes_is_param(row->segments[i])) {
			if (!str_equal(segment, row->segments[i]))
				return false;
		} else {
			if (segment.len == 0)
				return false;
			match->params[match->param_count++] = segment;
		}
	}
	return true;
}

static bool routes_serves(const struct row *row, struct str method)
{
	return str_equal(row->method, method) ||
	       (str_equal(method, STR("HEAD")) && str_equal(row->method, STR("GET")));
}

err_t http_routes_find(const struct http_routes *routes, struct str method, struct str path, struct http_match *match)
{
	unsigned segment_count = routes_count_segments(path);
	bool knows_path = false;

	match->route = NULL;
	for (size_t i = 0; i < routes->count; i++) {
		const struct row *row = &routes->rows[i];
		if (!routes_path_matches(row, path, segment_count, match))
			continue;
		knows_path = true;
		if (routes_serves(row, method)) {
			match->route = row->route;
			return OK;
		}
	}
	match->param_count = 0;
	return knows_path ? ERR_METHOD_NOT_ALLOWED : ERR_NOT_FOUND;
}

static void routes_add_method(struct buf *out, size_t start, struct str method)
{
	if (out->len > start && memmem(out->ptr + start, out->len - start, method.ptr, method.len))
		return; /* listed already */
	if (out->len > start)
		buf_append_text(out, ", ");
	buf_append_str(out, method);
}

void http_routes_allowed(const struct http_routes *routes, struct str path, struct buf *out)
{
	unsigned segment_count = routes_count_segments(path);
	size_t start = out->len;
	struct http_match ignored;

	for (size_t i = 0; i < routes->count; i++) {
		const struct row *row = &routes->rows[i];
		if (!routes_path_matches(row, path, segment_count, &ignored))
			continue;
		routes_add_method(out, start, row->method);
		if (str_equal(row->method, STR("GET")))
			routes_add_method(out, start, STR("HEAD"));
	}
}

struct str http_route_param_name(const struct http_route *route, unsigned index)
{
	struct str pattern = str_from(route->path);

	while (pattern.ptr) {
		struct str segment = str_cut(&pattern, '/');
		if (routes_is_param(segment) && index-- == 0)
			return str_of(segment.ptr + 1, segment.len - 2);
	}
	return STR("");
}
