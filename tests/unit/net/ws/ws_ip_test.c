/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>

#include "net/ws/ws_ip.h"

/* The address of a peer as accept() gives it. */
static struct ws_ip ip_of(int family, const char *text)
{
	struct sockaddr_storage from = { .ss_family = (sa_family_t)family };
	void *address = family == AF_INET ? (void *)&((struct sockaddr_in *)&from)->sin_addr :
	                                    &((struct sockaddr_in6 *)&from)->sin6_addr;
	struct ws_ip ip;

	assert_int_equal(inet_pton(family, text, address), 1);
	ws_ip_from(&ip, &from);
	return ip;
}

static void assert_text(struct ws_ip ip, const char *expected)
{
	char text[INET6_ADDRSTRLEN];
	struct str shown = ws_ip_text(&ip, text);

	assert_ptr_equal(shown.ptr, text);
	assert_int_equal(shown.len, strlen(expected));
	assert_string_equal(shown.ptr, expected);
}

static void assert_same_network(const char *a, const char *b, bool expected)
{
	struct ws_ip first = ip_of(strchr(a, ':') ? AF_INET6 : AF_INET, a);
	struct ws_ip second = ip_of(strchr(b, ':') ? AF_INET6 : AF_INET, b);

	first = ws_ip_network(&first);
	second = ws_ip_network(&second);
	assert_int_equal(memcmp(&first, &second, sizeof(first)) == 0, expected);
}

static void an_address_is_shown_in_the_form_of_its_family(void **state)
{
	(void)state;
	assert_text(ip_of(AF_INET, "203.0.113.7"), "203.0.113.7");
	assert_text(ip_of(AF_INET, "255.255.255.255"), "255.255.255.255");
	assert_text(ip_of(AF_INET6, "2001:db8::7"), "2001:db8::7");
	assert_text(ip_of(AF_INET6, "2001:db8:1111:2222:3333:4444:5555:6666"), "2001:db8:1111:2222:3333:4444:5555:6666");
	assert_text(ip_of(AF_INET6, "::1"), "::1");
}

static void a_mapped_address_is_the_ipv4_address(void **state)
{
	struct ws_ip mapped = ip_of(AF_INET6, "::ffff:203.0.113.7"), plain = ip_of(AF_INET, "203.0.113.7");
	(void)state;

	assert_memory_equal(&mapped, &plain, sizeof(mapped));
	assert_text(mapped, "203.0.113.7");
}

static void an_unknown_family_is_the_ipv4_address_zero(void **state)
{
	const struct sockaddr_storage from = { .ss_family = AF_UNIX };
	struct ws_ip ip;
	(void)state;

	ws_ip_from(&ip, &from);
	assert_text(ip, "0.0.0.0");
}

static void each_ipv4_address_is_a_network(void **state)
{
	(void)state;
	assert_same_network("203.0.113.7", "203.0.113.7", true);
	assert_same_network("203.0.113.7", "203.0.113.8", false);
	assert_same_network("203.0.113.7", "::ffff:203.0.113.7", true);
	assert_same_network("0.0.0.0", "::", false);
}

static void ipv6_addresses_of_one_64_are_one_network(void **state)
{
	struct ws_ip ip = ip_of(AF_INET6, "2001:db8:1:2:3:4:5:6");
	(void)state;

	assert_same_network("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", true);
	assert_same_network("2001:db8:1:2::1", "2001:db8:1:3::1", false);
	assert_text(ws_ip_network(&ip), "2001:db8:1:2::");
	assert_text(ip, "2001:db8:1:2:3:4:5:6");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_is_shown_in_the_form_of_its_family),
		cmocka_unit_test(a_mapped_address_is_the_ipv4_address),
		cmocka_unit_test(an_unknown_family_is_the_ipv4_address_zero),
		cmocka_unit_test(each_ipv4_address_is_a_network),
		cmocka_unit_test(ipv6_addresses_of_one_64_are_one_network),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
