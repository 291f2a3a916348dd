#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/macros.h"
#include "gateway/router/advertised.h"

static void assert_advertised(const char *advertise, const char *listen, const char *host, const char *expected)
{
	struct buf out = { 0 };

	advertised_write(&out, advertise, listen, host);
	assert_string_equal(buf_text(&out), expected);
	buf_release(&out);
}

static void what_is_configured_is_advertised(void **state)
{
	(void)state;
	assert_advertised("10.0.0.7:9301", "0.0.0.0:9301", "box", "10.0.0.7:9301");
	assert_advertised("0.0.0.0:1", "127.0.0.1:9301", "box", "0.0.0.0:1");
}

static void an_address_to_listen_on_is_advertised_as_it_is(void **state)
{
	(void)state;
	assert_advertised("", "127.0.0.1:9301", "box", "127.0.0.1:9301");
	assert_advertised("", "10.0.0.0:9301", "box", "10.0.0.0:9301");
	assert_advertised("", "[::1]:9301", "box", "[::1]:9301");
	assert_advertised("", "gateway-1:9301", "box", "gateway-1:9301");
}

static void the_hosts_address_takes_the_place_of_a_wildcard(void **state)
{
	(void)state;
	assert_advertised("", "0.0.0.0:9301", "10.1.2.3", "10.1.2.3:9301");
	assert_advertised("", "[::]:9301", "10.1.2.3", "10.1.2.3:9301");
	assert_advertised("", "[::]:9301", "2001:db8::7", "[2001:db8::7]:9301");
}

static void the_hosts_name_does_if_it_has_no_address_that_others_know(void **state)
{
	static const char *const names[] = { "localhost", "127.0.1.1", "169.254.0.7", "no such host" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char expected[64];

		(void)snprintf(expected, sizeof(expected), "%s:9301", names[i]);
		assert_advertised("", "0.0.0.0:9301", names[i], expected);
	}
	assert_advertised("", "0.0.0.0:9301", "2001:db8::7", "2001:db8::7:9301"); /* it does not listen there */
	assert_advertised("", "[::]:9301", "ip6-localhost", "ip6-localhost:9301");
	assert_advertised("", "0.0.0.0:9301", "", "0.0.0.0:9301");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_configured_is_advertised),
		cmocka_unit_test(an_address_to_listen_on_is_advertised_as_it_is),
		cmocka_unit_test(the_hosts_address_takes_the_place_of_a_wildcard),
		cmocka_unit_test(the_hosts_name_does_if_it_has_no_address_that_others_know),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
