/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/macros.h"
#include "net/http/http_routes.h"
#include "net/http/http_uri.h"

static void handle(struct http_request *request, void *arg)
{
	(void)request, (void)arg;
}

static const struct http_route table[] = {
	{ "GET", "/", handle, NULL },
	{ "POST", "/v1/messages", handle, NULL },
	{ "POST", "/v1/messages/batch", handle, NULL },
	{ "PATCH", "/v1/users/me", handle, NULL },
	{ "GET", "/v1/users/{uid}", handle, NULL },
	{ "GET", "/v1/conversations/{id}/messages", handle, NULL },
	{ "POST", "/v1/conversations/{id}/messages/{seq}/recall", handle, NULL },
	{ "DELETE", "/v1/conversations/{id}", handle, NULL },
	{ "PATCH", "/v1/conversations/{id}", handle, NULL },
	{ "GET", "/v1/conversations/first/twice", handle, NULL },
	{ "GET", "/v1/conversations/{id}/{part}", handle, NULL },
	{ "DELETE", "/v1/groups/{gid}/members/{uid}", handle, NULL },
	{ "PUT", "/v1/groups/{gid}/members/{uid}/role", handle, NULL },
};

static struct http_routes *routes;

static int make_routes(void **state)
{
	(void)state;
	routes = http_routes_new(table, ARRAY_LEN(table));
	return 0;
}

static int free_routes(void **state)
{
	(void)state;
	http_routes_free(routes);
	return 0;
}

static void assert_finds(const char *method, const char *path, const char *pattern, const char *params)
{
	struct buf found = { 0 };
	struct http_match match;

	assert_int_equal(http_routes_find(routes, str_from(method), str_from(path), &match), OK);
	assert_string_equal(match.route->path, pattern);
	for (unsigned i = 0; i < match.param_count; i++) {
		buf_append_str(&found, match.params[i]);
		buf_append_char(&found, '|');
	}
	assert_string_equal(buf_text(&found), params);
	buf_release(&found);
}

static void assert_refuses(const char *method, const char *path, err_t err)
{
	struct http_match match;

	assert_int_equal(http_routes_find(routes, str_from(method), str_from(path), &match), err);
	assert_null(match.route);
	assert_int_equal(match.param_count, 0);
}

static void a_path_is_found_with_its_parameters_in_order(void **state)
{
	(void)state;
	assert_finds("GET", "/", "/", "");
	assert_finds("POST", "/v1/messages", "/v1/messages", "");
	assert_finds("POST", "/v1/messages/batch", "/v1/messages/batch", "");
	assert_finds("GET", "/v1/users/alice", "/v1/users/{uid}", "alice|");
	assert_finds("GET", "/v1/users/a%2Fb", "/v1/users/{uid}", "a%2Fb|");
	assert_finds("POST", "/v1/conversations/g:x/messages/17/recall",
	             "/v1/conversations/{id}/messages/{seq}/recall", "g:x|17|");
	assert_finds("DELETE", "/v1/groups/g1/members/role", "/v1/groups/{gid}/members/{uid}", "g1|role|");
	assert_finds("PUT", "/v1/groups/g1/members/role/role", "/v1/groups/{gid}/members/{uid}/role", "g1|role|");
}

static void head_is_served_by_get(void **state)
{
	(void)state;
	assert_finds("HEAD", "/v1/users/alice", "/v1/users/{uid}", "alice|");
	assert_refuses("HEAD", "/v1/messages", ERR_METHOD_NOT_ALLOWED);
}

static void the_first_of_two_routes_that_match_wins(void **state)
{
	(void)state;
	assert_finds("GET", "/v1/conversations/first/twice", "/v1/conversations/first/twice", "");
	assert_finds("GET", "/v1/conversations/first/other", "/v1/conversations/{id}/{part}", "first|other|");
}

static void a_path_that_differs_in_anything_is_not_found(void **state)
{
	static const char *const paths[] = {
		"", "*", "v1/messages", "//", "/v1", "/v1/", "/v1/message", "/v1/messages/", "/v1//messages", "/V1/messages",
		"/v1/messages/batch/more", "/v1/users", "/v1/users/", "/v1/users/a/b", "/v1/conversations//messages",
		"/v1/conversations/x/messages/1/undo", "/v1/conversations/x/messages//recall",
		"/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(paths); i++)
		assert_refuses("GET", paths[i], ERR_NOT_FOUND);
}

static void assert_allows(const char *path, const char *methods)
{
	struct buf allowed = { 0 };

	buf_append_text(&allowed, "GET "); /* what stood there before is no method */
	http_routes_allowed(routes, str_from(path), &allowed);
	assert_string_equal(buf_text(&allowed) + 4, methods);
	buf_release(&allowed);
}

static void a_known_path_with_another_method_names_the_allowed_ones(void **state)
{
	(void)state;
	assert_refuses("PUT", "/v1/users/me", ERR_METHOD_NOT_ALLOWED);
	assert_refuses("get", "/v1/users/me", ERR_METHOD_NOT_ALLOWED);
	assert_allows("/v1/users/me", "PATCH, GET, HEAD");
	assert_allows("/v1/conversations/x", "DELETE, PATCH");
	assert_allows("/v1/nothing", "");
}

static void a_parameter_is_known_by_its_name(void **state)
{
	(void)state;
	assert_true(str_equal(http_route_param_name(&table[6], 0), STR("id")));
	assert_true(str_equal(http_route_param_name(&table[6], 1), STR("seq")));
	assert_true(str_equal(http_route_param_name(&table[6], 2), STR("")));
}

static void a_target_splits_into_path_and_query(void **state)
{
	static const struct {
		const char *target, *path, *query;
	} cases[] = {
		{ "/a/b", "/a/b", NULL },
		{ "/a?", "/a", "" },
		{ "/a?b=c?d", "/a", "b=c?d" },
		{ "http://skein:8080/a/b?c", "/a/b", "c" },
		{ "http://skein", "/", NULL },
		{ "http://skein?a=/b", "/", "a=/b" },
		{ "", "", NULL },
	};
	struct str path, query;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uri_split(str_from(cases[i].target), &path, &query);
		assert_true(str_equal(path, str_from(cases[i].path)));
		assert_true(str_equal(query, str_from(cases[i].query)));
		assert_int_equal(query.ptr != NULL, cases[i].query != NULL);
	}
}

static void decoding_accepts_utf8_only_and_nothing_half_encoded(void **state)
{
	static const char *const bad[] = { "%", "a%2", "%2g", "%g2", "%%41", "a%00b", "%ff", "%c3%28", "%ed%a0%80", "\xff" };
	struct buf store = { 0 };
	struct str out;

	(void)state;
	buf_reserve(&store, 256);
	assert_true(uri_decode(str_from("plain+text"), PLUS_IS_PLUS, &store, &out));
	assert_true(str_equal(out, STR("plain+text")));
	assert_true(uri_decode(str_from("a+b%2Bc%2fd"), PLUS_IS_SPACE, &store, &out));
	assert_true(str_equal(out, STR("a b+c/d")));
	assert_true(uri_decode(str_from("%E6%90%9c"), PLUS_IS_PLUS, &store, &out));
	assert_true(str_equal(out, STR("\xe6\x90\x9c")));
	assert_true(uri_decode(str_from(""), PLUS_IS_PLUS, &store, &out));
	assert_int_equal(out.len, 0);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(uri_decode(str_from(bad[i]), PLUS_IS_PLUS, &store, &out));
	assert_false(uri_decode(STR("a\0b"), PLUS_IS_PLUS, &store, &out));
	buf_release(&store);
}

static void a_query_is_read_field_by_field(void **state)
{
	struct uri_field fields[3];
	struct buf store = { 0 };
	struct str bad;

	(void)state;
	buf_reserve(&store, 256);
	assert_int_equal(uri_query_read(str_of(NULL, 0), &store, fields, 3, &bad), 0);
	assert_int_equal(uri_query_read(STR("a=1&&b=x%20y+z=&flag"), &store, fields, 3, &bad), 3);
	assert_true(str_equal(fields[0].name, STR("a")));
	assert_true(str_equal(fields[0].value, STR("1")));
	assert_true(str_equal(fields[1].name, STR("b")));
	assert_true(str_equal(fields[1].value, STR("x y z=")));
	assert_true(str_equal(fields[2].name, STR("flag")));
	assert_true(fields[2].value.ptr != NULL && fields[2].value.len == 0);

	assert_int_equal(uri_query_read(STR("a=1&b=2&c=3&d=4"), &store, fields, 3, &bad), -1);
	assert_int_equal(uri_query_read(STR("a=1&limit=%zz"), &store, fields, 3, &bad), -1);
	assert_true(str_equal(bad, STR("limit")));
	assert_int_equal(uri_query_read(STR("%ff=1"), &store, fields, 3, &bad), -1);
	assert_true(str_equal(bad, STR("")));
	buf_release(&store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_path_is_found_with_its_parameters_in_order),
		cmocka_unit_test(head_is_served_by_get),
		cmocka_unit_test(the_first_of_two_routes_that_match_wins),
		cmocka_unit_test(a_path_that_differs_in_anything_is_not_found),
		cmocka_unit_test(a_known_path_with_another_method_names_the_allowed_ones),
		cmocka_unit_test(a_parameter_is_known_by_its_name),
		cmocka_unit_test(a_target_splits_into_path_and_query),
		cmocka_unit_test(decoding_accepts_utf8_only_and_nothing_half_encoded),
		cmocka_unit_test(a_query_is_read_field_by_field),
	};
	return cmocka_run_group_tests(tests, make_routes, free_routes);
}
