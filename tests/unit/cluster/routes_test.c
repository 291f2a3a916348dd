#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

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

static void noise_is_refused_without_harm(void **state)
{
	struct route route;
	char noise[40];
	(void)state;

	for (int i = 0; i < 100000; i++) {
		size_t len = random_below(sizeof(noise));
		random_bytes(noise, sizeof(noise));
		for (size_t c = 0; c < len; c++)
			noise[c] = "|019ab-\0"[(unsigned char)noise[c] % 8];
		(void)route_parse(str_of(noise, len), &route);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_route_is_read_as_it_was_written),
		cmocka_unit_test(a_malformed_route_is_refused),
		cmocka_unit_test(noise_is_refused_without_harm),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
