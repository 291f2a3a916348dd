#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "base/random.h"
#include "cluster/routes.h"

static void a_route_is_read_as_it_was_written(void **state)
{
	const struct route route = {
		.node = STR("gateway-1"), .node_epoch = 7, .conn = UINT64_MAX, .platform = STR("ios"), .since_ms = 1700000000000,
	};
	struct buf text = { 0 };
	struct route read;
	(void)state;

	route_write(&text, &route);
	assert_true(str_equal(buf_str(&text), STR("gateway-1|7|18446744073709551615|ios|1700000000000")));
	assert_true(route_parse(buf_str(&text), &read));
	assert_true(str_equal(read.node, route.node));
	assert_int_equal(read.node_epoch, route.node_epoch);
	assert_int_equal(read.conn, route.conn);
	assert_true(str_equal(read.platform, route.platform));
	assert_int_equal(read.since_ms, route.since_ms);
	buf_release(&text);
}

static void a_malformed_route_is_refused(void **state)
{
	static const char *const texts[] = {
		"", "|", "||||", "gateway-1", "gateway-1|7|1|ios", "gateway-1|7|1|ios|", "gateway-1|7|1|ios|5|6", "|7|1|ios|5",
		"gateway 1|7|1|ios|5", "gateway-1||1|ios|5", "gateway-1|7||ios|5", "gateway-1|-7|1|ios|5", "gateway-1|7|1x|ios|5",
		"gateway-1|7|18446744073709551616|ios|5", "gateway-1|7|1|toaster|5", "gateway-1|7|1|ios|5 ", "gateway-1|+7|1|ios|5",
		"g\n|7|1|ios|5",
	};
	struct route route;
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		if (route_parse(str_from(texts[i]), &route))
			fail_msg("taken for a route: %s", texts[i]);
	}
	assert_false(route_parse((struct str){ NULL, 0 }, &route));
	assert_false(route_parse(str_of("gateway-1|7|1|ios|5\0", 20), &route));
}

/* The form of a route as a regular expression: an oracle that shares no code with route_parse(). */
#define ROUTE_PATTERN "^([A-Za-z0-9_.-]{1,64})[|]([0-9]+)[|]([0-9]+)[|](ios|android|web|desktop|mini|bot)[|]([0-9]+)$"

static uint64_t number_in(const char *text, regmatch_t match)
{
	return strtoull(text + match.rm_so, NULL, 10);
}

/* Replaces up to three bytes of a good route. */
static void spoil(char *text, size_t len)
{
	for (size_t i = random_below(4); i > 0; i--)
		text[random_below(len)] = "|019io-.\n\0 "[random_below(12)];
}

static void noise_is_a_route_if_it_looks_like_one_and_is_refused_otherwise(void **state)
{
	unsigned taken = 0, refused = 0;
	regmatch_t parts[6];
	regex_t pattern;
	struct route route;
	(void)state;

	assert_int_equal(regcomp(&pattern, ROUTE_PATTERN, REG_EXTENDED), 0);
	for (int i = 0; i < 100000; i++) {
		char noise[] = "g.1|70|19|ios|150";
		size_t len = sizeof(noise) - 1;
		spoil(noise, len);
		bool is_route = strlen(noise) == len && regexec(&pattern, noise, ARRAY_LEN(parts), parts, 0) == 0;
		if (route_parse(str_of(noise, len), &route) != is_route)
			fail_msg("%s as a route: %s", is_route ? "refused" : "taken", noise);
		if (is_route) {
			assert_int_equal(route.node.len, parts[1].rm_eo);
			assert_int_equal(route.node_epoch, number_in(noise, parts[2]));
			assert_int_equal(route.conn, number_in(noise, parts[3]));
			assert_int_equal(route.since_ms, number_in(noise, parts[5]));
		}
		taken += is_route;
		refused += !is_route;
	}
	assert_true(taken > 1000 && refused > 1000);
	regfree(&pattern);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_route_is_read_as_it_was_written),
		cmocka_unit_test(a_malformed_route_is_refused),
		cmocka_unit_test(noise_is_a_route_if_it_looks_like_one_and_is_refused_otherwise),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
