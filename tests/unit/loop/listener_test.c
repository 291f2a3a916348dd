/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/macros.h"
#include "loop/listener.h"
#include "tests/unit/base/captured.h"

/* Whether a connection to this address is taken. */
static bool is_taken(const char *address, uint16_t port)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	bool is_v4 = inet_pton(AF_INET, address, &v4.sin_addr) == 1;

	if (!is_v4)
		assert_int_equal(inet_pton(AF_INET6, address, &v6.sin6_addr), 1);
	int fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	int failed = is_v4 ? connect(fd, (struct sockaddr *)&v4, sizeof(v4)) : connect(fd, (struct sockaddr *)&v6, sizeof(v6));
	close(fd);
	return !failed;
}

static void it_listens_where_it_is_told_and_nowhere_else(void **state)
{
	static const struct {
		const char *listen, *takes[3], *refuses[3];
	} examples[] = {
		{ "127.0.0.1:0", { "127.0.0.1" }, { "127.0.0.2", "::1" } },
		{ "127.0.0.2:0", { "127.0.0.2" }, { "127.0.0.1", "::1" } },
		{ "0.0.0.0:0", { "127.0.0.1", "127.0.0.2" }, { "::1" } },
		{ "[::1]:0", { "::1" }, { "127.0.0.1" } },
		{ "[::]:0", { "::1", "127.0.0.1" }, { NULL } }, /* IPv4, too */
	};
	int fd;
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
		assert_int_equal(listener_open(&fd, examples[i].listen, false), OK);
		uint16_t port = listener_port(fd);
		assert_int_not_equal(port, 0);
		for (const char *const *at = examples[i].takes; *at; at++)
			if (!is_taken(*at, port))
				fail_msg("%s does not take %s", examples[i].listen, *at);
		for (const char *const *at = examples[i].refuses; *at; at++)
			if (is_taken(*at, port))
				fail_msg("%s takes %s", examples[i].listen, *at);
		close(fd);
	}
}

static void a_name_is_its_first_address(void **state)
{
	int fd;
	(void)state;

	assert_int_equal(listener_open(&fd, "localhost:0", false), OK);
	uint16_t port = listener_port(fd);
	assert_int_not_equal(is_taken("127.0.0.1", port), is_taken("::1", port));
	close(fd);
}

static void it_says_in_one_line_why_it_cannot_listen(void **state)
{
	static const struct {
		const char *listen;
		err_t err;
		const char *why;
	} examples[] = {
		{ "banana", ERR_BAD_CONFIG, "not of the form host:port" },
		{ "nowhere.invalid:80", ERR_BAD_CONFIG, "does not resolve" },
		{ "192.0.2.77:0", ERR_IO, "Cannot assign requested address" },
		{ "[2001:db8::77]:0", ERR_IO, "Cannot assign requested address" },
	};
	struct captured log;
	int fd = 0;
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
		capture_begin(&log, 2);
		err_t err = listener_open(&fd, examples[i].listen, false);
		capture_end(&log);
		assert_int_equal(err, examples[i].err);
		assert_non_null(strstr(log.text, examples[i].listen));
		if (!strstr(log.text, examples[i].why))
			fail_msg("\"%s\" is not in: %s", examples[i].why, log.text);
		assert_ptr_equal(strchr(log.text, '\n'), log.text + strlen(log.text) - 1);
	}
	assert_int_equal(fd, -1);
}

static void a_port_that_is_taken_is_named(void **state)
{
	struct captured log;
	char again[32];
	int first, second;
	(void)state;

	assert_int_equal(listener_open(&first, "127.0.0.1:0", false), OK);
	snprintf(again, sizeof(again), "127.0.0.1:%u", listener_port(first));
	capture_begin(&log, 2);
	err_t err = listener_open(&second, again, false);
	capture_end(&log);
	assert_int_equal(err, ERR_IO);
	assert_non_null(strstr(log.text, again));
	assert_non_null(strstr(log.text, "Address already in use"));
	close(first);
	assert_int_equal(listener_open(&second, again, false), OK);
	close(second);
}

static void workers_share_a_port(void **state)
{
	char again[32];
	int first, second;
	(void)state;

	assert_int_equal(listener_open(&first, "[::1]:0", true), OK);
	snprintf(again, sizeof(again), "[::1]:%u", listener_port(first));
	assert_int_equal(listener_open(&second, again, true), OK);
	assert_int_equal(listener_port(second), listener_port(first));
	close(first);
	close(second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_listens_where_it_is_told_and_nowhere_else),
		cmocka_unit_test(a_name_is_its_first_address),
		cmocka_unit_test(it_says_in_one_line_why_it_cannot_listen),
		cmocka_unit_test(a_port_that_is_taken_is_named),
		cmocka_unit_test(workers_share_a_port),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
