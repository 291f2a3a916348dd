#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "libclient/transport/upgrade.h"

/* The example of RFC 6455, section 1.3. */
#define KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

static bool take_answer(const char *text, struct upgrade_answer *answer, struct str *rest)
{
	*rest = str_from(text);
	return upgrade_take_answer(rest, KEY, answer);
}

static void an_upgrade_counts_only_with_the_answer_to_its_own_key(void **state)
{
	struct upgrade_answer answer;
	struct str rest;

	(void)state;
	assert_false(take_answer("HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n", &answer, &rest));
	assert_true(take_answer("HTTP/1.1 101 Switching\r\nsec-websocket-ACCEPT:  " ACCEPT "\r\n\r\n\x81", &answer, &rest));
	assert_int_equal(answer.status, 101);
	assert_int_equal(rest.len, 1);
	assert_true(take_answer("HTTP/1.1 101 Switching\r\nSec-WebSocket-Accept: AAAA\r\n\r\n", &answer, &rest));
	assert_int_equal(answer.status, 0);
	assert_true(take_answer("HTTP/1.1 101 Switching\r\n\r\n", &answer, &rest));
	assert_int_equal(answer.status, 0);
}

static void a_refusal_has_its_status_and_its_retry_after(void **state)
{
	struct upgrade_answer answer;
	struct str rest;

	(void)state;
	assert_true(take_answer("HTTP/1.1 503 Busy\r\nRetry-After: 7\r\n\r\n", &answer, &rest));
	assert_int_equal(answer.status, 503);
	assert_int_equal(answer.retry_after_ms, 7000);
	assert_true(take_answer("HTTP/1.1 401 No\r\nRetry-After: Fri, 31 Dec 1999\r\n\r\n", &answer, &rest));
	assert_int_equal(answer.status, 401);
	assert_int_equal(answer.retry_after_ms, 0);
}

static void a_malformed_answer_has_status_0(void **state)
{
	static const char *const texts[] = { "SSH-2.0\r\n\r\n", "\r\n\r\n", "HTTP/1.1\r\n\r\n", "HTTP/1.1 abc\r\n\r\n",
		                             ("HTTP/1.1 20"
		                              "\r\n\r\n") };
	struct upgrade_answer answer;
	struct str rest;
	struct buf endless = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		assert_true(take_answer(texts[i], &answer, &rest));
		assert_int_equal(answer.status, 0);
	}
	while (endless.len <= UPGRADE_MAX_HEAD)
		buf_append_text(&endless, "X: y\r\n");
	assert_true(take_answer(buf_text(&endless), &answer, &rest));
	assert_int_equal(answer.status, 0);
	buf_release(&endless);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_upgrade_counts_only_with_the_answer_to_its_own_key),
		cmocka_unit_test(a_refusal_has_its_status_and_its_retry_after),
		cmocka_unit_test(a_malformed_answer_has_status_0),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
