#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
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

static void the_hosts_name_takes_the_place_of_a_wildcard(void **state)
{
	(void)state;
	assert_advertised("", "0.0.0.0:9301", "3f2a", "3f2a:9301");
	assert_advertised("", "[::]:9301", "box.example", "box.example:9301");
	assert_advertised("", "0.0.0.0:9301", "", "0.0.0.0:9301");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_configured_is_advertised),
		cmocka_unit_test(an_address_to_listen_on_is_advertised_as_it_is),
		cmocka_unit_test(the_hosts_name_takes_the_place_of_a_wildcard),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
