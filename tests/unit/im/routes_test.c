/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <ctype.h>
#include <stdio.h>

#include "base/macros.h"
#include "im/routes.h"
#include "net/http/http_routes.h"

/*
 * The operations of docs/openapi.yaml that state who may call them. The file is read by its indentation: a path is at column
 * 2, a method at 4, the keys of a method at 6. An operation that is written otherwise is not found, and the comparison fails.
 */
#define OPENAPI "docs/openapi.yaml"
#define OPERATIONS_MAX 256

static struct operation {
	char method[16], path[128], who[16];
	bool is_open; /* security: [] */
} operations[OPERATIONS_MAX];
static size_t operation_count;

static void read_line(const char *line, char path[128])
{
	struct operation *operation = operation_count ? &operations[operation_count - 1] : NULL;
	char word[128];
	int end = 0;

	if (sscanf(line, "  %127[^: ]:%n", word, &end) == 1 && line[2] == '/' && end) {
		(void)str_copy(path, 128, str_from(word));
	} else if (strspn(line, " ") == 4 && sscanf(line, "    %15[a-z]:%n", word, &end) == 1 && line[end] == '\n') {
		assert_true(operation_count < OPERATIONS_MAX);
		operation = &operations[operation_count++];
		for (char *c = word; *c; c++)
			*c = (char)toupper((unsigned char)*c);
		(void)str_copy(operation->method, sizeof(operation->method), str_from(word));
		(void)str_copy(operation->path, sizeof(operation->path), str_from(path));
	} else if (operation && sscanf(line, "      x-who: %15s", word) == 1) {
		(void)str_copy(operation->who, sizeof(operation->who), str_from(word));
	} else if (operation && strcmp(line, "      security: []\n") == 0) {
		operation->is_open = true;
	}
}

static int read_openapi(void **state)
{
	char line[1024], path[128] = "";
	FILE *file = fopen(OPENAPI, "r");
	bool is_in_paths = false;
	(void)state;

	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		if (isalpha((unsigned char)line[0]))
			is_in_paths = strcmp(line, "paths:\n") == 0;
		else if (is_in_paths)
			read_line(line, path);
	}
	assert_int_equal(fclose(file), 0);
	return 0;
}

static const char *who_name(enum call_who who)
{
	static const char *const names[] = { [CALL_ANYONE] = "anyone", [CALL_USER] = "user", [CALL_ADMIN] = "admin" };

	return names[who];
}

static const struct operation *find_operation(const char *method, const char *path)
{
	for (size_t i = 0; i < operation_count; i++)
		if (strcmp(operations[i].method, method) == 0 && strcmp(operations[i].path, path) == 0)
			return &operations[i];
	return NULL;
}

static const struct call_route *find_route(const char *method, const char *path)
{
	for (size_t i = 0; i < im_route_count; i++)
		if (strcmp(im_routes[i].method, method) == 0 && strcmp(im_routes[i].path, path) == 0)
			return &im_routes[i];
	return NULL;
}

static void every_route_is_documented_with_who_may_call_it(void **state)
{
	(void)state;

	for (size_t i = 0; i < im_route_count; i++) {
		const struct call_route *route = &im_routes[i];
		const struct operation *operation = find_operation(route->method, route->path);

		if (!operation)
			fail_msg("%s does not have %s %s", OPENAPI, route->method, route->path);
		if (strcmp(operation->who, who_name(route->who)) != 0)
			fail_msg("%s %s: x-who is '%s' instead of '%s'", route->method, route->path, operation->who,
			         who_name(route->who));
		if (operation->is_open != (route->who == CALL_ANYONE))
			fail_msg("%s %s: security does not go with x-who", route->method, route->path);
	}
}

/* Operations of other ports have no x-who. */
static void every_documented_operation_has_its_route(void **state)
{
	size_t with_who = 0;
	(void)state;

	for (size_t i = 0; i < operation_count; i++) {
		if (!operations[i].who[0] && strncmp(operations[i].path, "/v1/", 4) != 0)
			continue;
		with_who++;
		if (!find_route(operations[i].method, operations[i].path))
			fail_msg("no route for %s %s", operations[i].method, operations[i].path);
	}
	assert_int_equal(with_who, im_route_count);
}

static void only_admins_may_call_paths_below_admin(void **state)
{
	(void)state;

	for (size_t i = 0; i < im_route_count; i++) {
		bool is_below = strncmp(im_routes[i].path, "/v1/admin/", strlen("/v1/admin/")) == 0;
		assert_int_equal(im_routes[i].who == CALL_ADMIN, is_below);
	}
}

/* The path with "x" for each parameter. */
static void fill_in(const char *pattern, char out[128])
{
	for (; *pattern; pattern++) {
		if (*pattern == '{') {
			pattern = strchr(pattern, '}');
			*out++ = 'x';
		} else {
			*out++ = *pattern;
		}
	}
	*out = '\0';
}

static void no_route_hides_another(void **state)
{
	struct http_route *table = test_calloc(im_route_count, sizeof(*table));
	struct http_match match;
	char path[128];
	(void)state;

	for (size_t i = 0; i < im_route_count; i++)
		table[i] = (struct http_route){ .method = im_routes[i].method, .path = im_routes[i].path, .call = &im_routes[i] };
	struct http_routes *routes = http_routes_new(table, im_route_count);
	for (size_t i = 0; i < im_route_count; i++) {
		fill_in(im_routes[i].path, path);
		assert_int_equal(http_routes_find(routes, str_from(im_routes[i].method), str_from(path), &match), OK);
		assert_ptr_equal(match.route->call, &im_routes[i]);
	}
	http_routes_free(routes);
	test_free(table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_route_is_documented_with_who_may_call_it),
		cmocka_unit_test(every_documented_operation_has_its_route),
		cmocka_unit_test(only_admins_may_call_paths_below_admin),
		cmocka_unit_test(no_route_hides_another),
	};
	return cmocka_run_group_tests(tests, read_openapi, NULL);
}
