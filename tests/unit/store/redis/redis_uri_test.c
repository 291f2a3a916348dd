#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/random.h"
#include "store/redis/redis_uri.h"

static void each_part_of_a_uri_is_found(void **state)
{
	static const struct {
		const char *uri, *host, *port, *user, *password;
		unsigned db;
	} expected[] = {
		{ "redis://localhost", "localhost", "6379", "", "", 0 },
		{ "redis://10.0.0.1:7000", "10.0.0.1", "7000", "", "", 0 },
		{ "redis://10.0.0.1:7000/", "10.0.0.1", "7000", "", "", 0 },
		{ "redis://10.0.0.1/15", "10.0.0.1", "6379", "", "", 15 },
		{ "redis://:secret@redis:1/2", "redis", "1", "", "secret", 2 },
		{ "redis://im:secret@redis:65535", "redis", "65535", "im", "secret", 0 },
		{ "redis://:p%40s%3as%2F%25@redis", "redis", "6379", "", "p@s:s/%", 0 },
		{ "redis://:p@ss@redis", "redis", "6379", "", "p@ss", 0 },
		{ "redis://[::1]", "::1", "6379", "", "", 0 },
		{ "redis://:x@[fe80::1]:7001/3", "fe80::1", "7001", "", "x", 3 },
	};
	struct redis_uri uri;
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
		assert_true(redis_uri_parse(&uri, str_from(expected[i].uri)));
		assert_string_equal(uri.host, expected[i].host);
		assert_string_equal(uri.port, expected[i].port);
		assert_true(str_equal(buf_str(&uri.user), str_from(expected[i].user)));
		assert_true(str_equal(buf_str(&uri.password), str_from(expected[i].password)));
		assert_int_equal(uri.db, expected[i].db);
		redis_uri_release(&uri);
	}
}

static void a_malformed_uri_is_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"redis",
		"redis://",
		"http://localhost",
		"rediss://localhost",
		"redis://:6379",
		"redis://host:",
		"redis://host:0",
		"redis://host:65536",
		"redis://host:x",
		"redis://host:1x",
		"redis://host/x",
		"redis://host/-1",
		"redis://host/65536",
		"redis://host/1/2",
		"redis://user@host",
		"redis://user:@host",
		"redis://:%4@host",
		"redis://:%zz@host",
		"redis://:%@host",
		"redis://[::1",
		"redis://[]",
		"redis://[localhost]",
		"redis://[[x]",
		"redis://[::1]x",
		"redis://[::1]:",
		"redis://::1",
		"redis://@host",
	};
	struct redis_uri uri;
	char long_host[400] = "redis://";
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		if (redis_uri_parse(&uri, str_from(texts[i])))
			fail_msg("taken for a URI: %s", texts[i]);
	}
	memset(long_host + 8, 'h', 300);
	assert_false(redis_uri_parse(&uri, str_from(long_host)));
	assert_false(redis_uri_parse(&uri, str_of("redis://ho\0st", 13)));
}

static void noise_is_refused_without_harm(void **state)
{
	char noise[40] = "redis://";
	struct redis_uri uri;
	(void)state;

	for (int i = 0; i < 100000; i++) {
		size_t len = 8 + random_below(sizeof(noise) - 8);
		random_bytes(noise + 8, sizeof(noise) - 8);
		for (size_t c = 8; c < len; c++)
			noise[c] = ":@/[]%a0"[(unsigned char)noise[c] % 8];
		if (redis_uri_parse(&uri, str_of(noise, len)))
			redis_uri_release(&uri);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_part_of_a_uri_is_found),
		cmocka_unit_test(a_malformed_uri_is_refused),
		cmocka_unit_test(noise_is_refused_without_harm),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
