/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/macros.h"
#include "base/users/address.h"

static void an_address_is_an_ipv4_address_or_an_ipv6_network(void **state)
{
	static const struct {
		const char *peer, *address;
	} cases[] = {
		{ "192.0.2.1", "192.0.2.1" },
		{ "::ffff:192.0.2.1", "192.0.2.1" },
		{ "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64" },
		{ "2001:db8:1:2:ffff::", "2001:db8:1:2::/64" },
		{ "2001:db8:1:3::6", "2001:db8:1:3::/64" },
		{ "::1", "::/64" },
		{ "unknown", "unknown" },
		{ "", "" },
	};
	struct address address;
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		address_from(&address, str_from(cases[i].peer));
		assert_string_equal(address.text, cases[i].address);
	}
}

static void a_text_that_is_too_long_is_cut(void **state)
{
	char text[200];
	struct address address;
	(void)state;

	memset(text, 'x', sizeof(text));
	address_from(&address, str_of(text, sizeof(text)));
	assert_int_equal(strlen(address.text), ADDRESS_SIZE - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_is_an_ipv4_address_or_an_ipv6_network),
		cmocka_unit_test(a_text_that_is_too_long_is_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
