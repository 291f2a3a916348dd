/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/macros.h"
#include "base/text/host_port.h"

static void a_host_and_its_port_are_taken_apart(void **state)
{
	static const struct {
		const char *text, *host, *port;
	} examples[] = {
		{ "127.0.0.1:8080", "127.0.0.1", "8080" },
		{ "0.0.0.0:0", "0.0.0.0", "0" },
		{ "chat.example.com:65535", "chat.example.com", "65535" },
		{ "[::1]:8080", "::1", "8080" },
		{ "[::]:80", "::", "80" },
		{ "[fe80::1%eth0]:80", "fe80::1%eth0", "80" },
	};
	struct host_port parts;
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
		assert_true(host_port_parse(str_from(examples[i].text), &parts));
		assert_string_equal(parts.host, examples[i].host);
		assert_string_equal(parts.port, examples[i].port);
	}
}

static void the_text_need_not_be_terminated(void **state)
{
	struct host_port parts;
	(void)state;

	assert_true(host_port_parse(str_of("host:12345", 6), &parts));
	assert_string_equal(parts.port, "1");
}

static void anything_else_is_refused(void **state)
{
	static const char *const examples[] = {
		"", ":", ":80", "host", "host:", "host:x", "host:-1", "host:+1", "host: 80", "host:80 ", "host:65536", "host:99999999999",
		"::1", "::1:80", "[]:80", "[::1]", "[::1]80", "host:1:2", "host:000080",
	};
	char longest[300];
	struct host_port parts;
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(examples); i++)
		if (host_port_parse(str_from(examples[i]), &parts))
			fail_msg("\"%s\" was taken", examples[i]);
	memset(longest, 'a', sizeof(longest));
	memcpy(longest + 256, ":80", 4);
	assert_false(host_port_parse(str_from(longest), &parts));
	assert_true(host_port_parse(str_from(longest + 1), &parts));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_host_and_its_port_are_taken_apart),
		cmocka_unit_test(the_text_need_not_be_terminated),
		cmocka_unit_test(anything_else_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
