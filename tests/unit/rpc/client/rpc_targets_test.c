#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "rpc/client/rpc_targets.h"

static void a_list_becomes_one_target(void **state)
{
	static const char *const rows[][2] = {
		{ "127.0.0.1:9201", "ipv4:127.0.0.1:9201" },
		{ "127.0.0.1:9201,10.0.0.2:1", "ipv4:127.0.0.1:9201,10.0.0.2:1" },
		{ "[::1]:9201", "ipv6:[::1]:9201" },
		{ "[::1]:9201,[fe80::1]:65535", "ipv6:[::1]:9201,[fe80::1]:65535" },
		{ "localhost:9201", "dns:///localhost:9201" },
		{ "dns:im.skein.svc:9201", "dns:///im.skein.svc:9201" },
		{ "999.0.0.1:80", "dns:///999.0.0.1:80" }, /* not an address, so a name */
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf uri = { 0 };

		assert_int_equal(rpc_targets_uri(&uri, str_from(rows[i][0])), OK);
		assert_string_equal(buf_text(&uri), rows[i][1]);
		buf_release(&uri);
	}
}

static void anything_else_is_a_bad_configuration(void **state)
{
	static const char *const lists[] = {
		"",
		",",
		"127.0.0.1",
		":9201",
		"127.0.0.1:",
		"127.0.0.1:0",
		"127.0.0.1:65536",
		"127.0.0.1:-1",
		"127.0.0.1:80,",
		",127.0.0.1:80",
		"127.0.0.1:80,,127.0.0.1:81",
		"127.0.0.1:80, 127.0.0.1:81",
		"127.0.0.1:80,localhost:81", /* mixed */
		"127.0.0.1:80,[::1]:81",
		"first:80,second:80", /* several names */
		"::1:80", /* no brackets */
		"[::1:80",
		"[]:80",
		"[localhost]:80",
		"a/b:80",
		"a b:80",
		"dns:",
		"dns:///name:80",
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		struct buf uri = { 0 };

		assert_int_equal(rpc_targets_uri(&uri, str_from(lists[i])), ERR_BAD_CONFIG);
		buf_release(&uri);
	}
	struct buf uri = { 0 };
	assert_int_equal(rpc_targets_uri(&uri, STR("127.0.0.1\0.example:80")), ERR_BAD_CONFIG);
	buf_release(&uri);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_list_becomes_one_target),
		cmocka_unit_test(anything_else_is_a_bad_configuration),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
