#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <regex.h>
#include <stdlib.h>
#include <string.h>

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

/* The form of a URI as a regular expression: an oracle that shares no code with the parser. enum part numbers its groups. */
#define ESCAPED "%[0-9a-f][0-9a-f]"
#define USERINFO "(([^:%]|" ESCAPED ")*:([^%]|" ESCAPED ")+@)?"
#define ADDRESS "([^:[/@][^:/@]*|\\[[^]/@]*:[^]/@]*\\])(:([0-9]{1,5}))?"
#define URI_PATTERN "^redis://" USERINFO ADDRESS "(/([0-9]*))?$"

enum part { PART_HOST = 4, PART_PORT = 6, PART_DB = 8, PARTS };

static long number_in(const char *text, regmatch_t match, long otherwise)
{
	return match.rm_so < match.rm_eo ? strtol(text + match.rm_so, NULL, 10) : otherwise;
}

static bool looks_like_a_uri(const regex_t *pattern, const char *text, regmatch_t *parts)
{
	if (regexec(pattern, text, PARTS, parts, 0) != 0)
		return false;
	long port = number_in(text, parts[PART_PORT], 6379);
	return port >= 1 && port <= 65535 && number_in(text, parts[PART_DB], 0) <= 65535;
}

static void assert_parts(const struct redis_uri *uri, const char *text, const regmatch_t *parts)
{
	int brackets = text[parts[PART_HOST].rm_so] == '[' ? 1 : 0;

	assert_int_equal(strlen(uri->host), parts[PART_HOST].rm_eo - parts[PART_HOST].rm_so - 2 * brackets);
	assert_memory_equal(uri->host, text + parts[PART_HOST].rm_so + brackets, strlen(uri->host));
	assert_int_equal(strtol(uri->port, NULL, 10), number_in(text, parts[PART_PORT], 6379));
	assert_int_equal(uri->db, number_in(text, parts[PART_DB], 0));
}

static void noise_is_a_uri_if_it_looks_like_one_and_is_refused_otherwise(void **state)
{
	unsigned taken = 0, refused = 0;
	regmatch_t parts[PARTS];
	regex_t pattern;
	struct redis_uri uri;
	(void)state;

	assert_int_equal(regcomp(&pattern, URI_PATTERN, REG_EXTENDED), 0);
	for (int i = 0; i < 100000; i++) {
		char noise[24] = "redis://";
		for (size_t c = 8, len = 8 + random_below(sizeof(noise) - 8); c < len; c++)
			noise[c] = ":@/[]%a6"[random_below(8)];
		bool is_uri = looks_like_a_uri(&pattern, noise, parts);
		if (redis_uri_parse(&uri, str_from(noise)) != is_uri)
			fail_msg("%s as a URI: %s", is_uri ? "refused" : "taken", noise);
		taken += is_uri;
		refused += !is_uri;
		if (is_uri) {
			assert_parts(&uri, noise, parts);
			redis_uri_release(&uri);
		}
	}
	assert_true(taken > 1000 && refused > 1000);
	regfree(&pattern);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_part_of_a_uri_is_found),
		cmocka_unit_test(a_malformed_uri_is_refused),
		cmocka_unit_test(noise_is_a_uri_if_it_looks_like_one_and_is_refused_otherwise),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
