/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/macros.h"
#include "net/ws/ws_request.h"

/* The head of a good request; further fields go before its last two characters. */
#define GOOD(more) \
	"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" \
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" more "\r\n"

static struct ws_request request;

static err_t parse(const char *head, size_t len)
{
	const char *detail = NULL;

	err_t err = ws_request_parse(&request, str_of(head, len), &detail);
	assert_int_equal(detail != NULL, err != OK);
	return err;
}

/* A literal, so that it may have a NUL inside. */
#define PARSE(head) parse(head, sizeof(head) - 1)

#define EXPECT_BAD(head) \
	do { \
		assert_int_equal(PARSE(head), ERR_INVALID_ARGUMENT); \
		ws_request_release(&request); \
	} while (0)

static void expect_str(struct str got, const char *expected)
{
	assert_int_equal(got.len, strlen(expected));
	if (got.len)
		assert_memory_equal(got.ptr, expected, got.len);
}

static void the_parts_of_a_good_request_are_found(void **state)
{
	const char *detail;
	(void)state;

	assert_int_equal(PARSE(GOOD("AUTHORIZATION:\t Bearer a.b.c \t\r\nX-Empty:\r\n")), OK);
	expect_str(request.method, "GET");
	expect_str(request.path, "/ws");
	expect_str(request.authorization, "Bearer a.b.c");
	expect_str(request.key, "dGhlIHNhbXBsZSBub25jZQ==");
	assert_int_equal(request.offer_count, 0);
	assert_int_equal(ws_request_check_upgrade(&request, &detail), OK);
	ws_request_release(&request);
}

static void a_target_may_be_a_whole_url(void **state)
{
	(void)state;

	assert_int_equal(PARSE("GET http://gateway:8090/ws?a=1 HTTP/1.1\r\nHost: x\r\n\r\n"), OK);
	expect_str(request.path, "/ws");
	assert_int_equal(request.query_count, 1);
	ws_request_release(&request);
}

static void a_malformed_request_line_is_refused(void **state)
{
	(void)state;

	EXPECT_BAD("\r\n\r\n");
	EXPECT_BAD("GET /ws\r\nHost: x\r\n\r\n");
	EXPECT_BAD("GET  /ws HTTP/1.1\r\nHost: x\r\n\r\n");
	EXPECT_BAD("GET /ws  HTTP/1.1\r\nHost: x\r\n\r\n");
	EXPECT_BAD("GET /ws HTTP/1.1 \r\nHost: x\r\n\r\n");
	EXPECT_BAD("GET /ws HTTP/1.0\r\nHost: x\r\n\r\n");
	EXPECT_BAD("GET /ws HTTP/2.0\r\nHost: x\r\n\r\n");
	EXPECT_BAD(" GET /ws HTTP/1.1\r\nHost: x\r\n\r\n");
	EXPECT_BAD("G\0T /ws HTTP/1.1\r\nHost: x\r\n\r\n");
	EXPECT_BAD("GET /w\0 HTTP/1.1\r\nHost: x\r\n\r\n");
	EXPECT_BAD("GET /\xc3\xa9 HTTP/1.1\r\nHost: x\r\n\r\n");
	EXPECT_BAD("GET /w\ts HTTP/1.1\r\nHost: x\r\n\r\n");
}

static void a_malformed_field_is_refused(void **state)
{
	(void)state;

	EXPECT_BAD(GOOD("No colon\r\n"));
	EXPECT_BAD(GOOD(": no name\r\n"));
	EXPECT_BAD(GOOD("Name : value\r\n"));
	EXPECT_BAD(GOOD("X: one\r\n folded\r\n"));
	EXPECT_BAD(GOOD("X: one\r\n\tfolded\r\n"));
	EXPECT_BAD(GOOD("X: a\0b\r\n"));
	EXPECT_BAD(GOOD("X: a\x01 b\r\n"));
	EXPECT_BAD(GOOD("X: a\x7f b\r\n"));
	EXPECT_BAD(GOOD("X: a\rb\r\n"));
	EXPECT_BAD(GOOD("X: bare line feed\nY: z\r\n"));
	EXPECT_BAD("GET /ws HTTP/1.1\nHost: x\n\n");
	EXPECT_BAD("GET /ws HTTP/1.1\r\nHost: x\r\n");
}

static void a_field_that_may_stand_once_does(void **state)
{
	(void)state;

	EXPECT_BAD(GOOD("Host: y\r\n"));
	EXPECT_BAD(GOOD("Authorization: Bearer a\r\nauthorization: Bearer b\r\n"));
	EXPECT_BAD(GOOD("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"));
	EXPECT_BAD(GOOD("Sec-WebSocket-Version: 13\r\n"));
}

static void a_request_needs_a_host(void **state)
{
	(void)state;

	EXPECT_BAD("GET /ws HTTP/1.1\r\nX: y\r\n\r\n");
	EXPECT_BAD("GET /ws HTTP/1.1\r\nHost:\r\n\r\n");
}

static void a_query_of_too_many_fields_is_refused(void **state)
{
	(void)state;

#define FOUR "a=1&a=1&a=1&a=1&"
	assert_int_equal(PARSE("GET /ws?" FOUR FOUR FOUR FOUR FOUR FOUR FOUR FOUR " HTTP/1.1\r\nHost: x\r\n\r\n"), OK);
	assert_int_equal(request.query_count, WS_REQUEST_MAX_QUERY_FIELDS);
	ws_request_release(&request);
	EXPECT_BAD("GET /ws?" FOUR FOUR FOUR FOUR FOUR FOUR FOUR FOUR "b=1 HTTP/1.1\r\nHost: x\r\n\r\n");
}

static void too_many_offers_are_refused(void **state)
{
	(void)state;

#define OFFER "Sec-WebSocket-Protocol: a\r\n"
	assert_int_equal(PARSE(GOOD(OFFER OFFER OFFER OFFER OFFER OFFER OFFER OFFER)), OK);
	assert_int_equal(request.offer_count, WS_REQUEST_MAX_OFFERS);
	ws_request_release(&request);
	EXPECT_BAD(GOOD(OFFER OFFER OFFER OFFER OFFER OFFER OFFER OFFER OFFER));
}

static void the_missing_part_of_an_upgrade_is_named(void **state)
{
	static const struct {
		const char *head;
		err_t err;
		const char *detail; /* a part of it */
	} cases[] = {
		{ "PUT /ws HTTP/1.1\r\nHost: x\r\n\r\n", ERR_METHOD_NOT_ALLOWED, "GET" },
		{ "get /ws HTTP/1.1\r\nHost: x\r\n\r\n", ERR_METHOD_NOT_ALLOWED, "GET" },
		{ "GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\r\n", ERR_INVALID_ARGUMENT, "upgrade" },
		{ "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\n\r\n", ERR_INVALID_ARGUMENT, "upgrade" },
		{ GOOD("Content-Length: 1\r\n"), ERR_INVALID_ARGUMENT, "body" },
		{ GOOD("Transfer-Encoding: chunked\r\n"), ERR_INVALID_ARGUMENT, "body" },
		{ GOOD("Content-Length: 0\r\n"), OK, "" },
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *detail = "";
		assert_int_equal(parse(cases[i].head, strlen(cases[i].head)), OK);
		assert_int_equal(ws_request_check_upgrade(&request, &detail), cases[i].err);
		assert_non_null(strstr(detail, cases[i].detail));
		ws_request_release(&request);
	}
}

static void connection_and_upgrade_are_lists(void **state)
{
	const char *detail;
	(void)state;

	assert_int_equal(PARSE("GET /ws HTTP/1.1\r\nHost: x\r\nConnection: keep-alive , UPGRADE\r\n"
	                       "Upgrade: h2c, WebSocket\r\nSec-WebSocket-Version: 13\r\n"
	                       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"),
	                 OK);
	assert_int_equal(ws_request_check_upgrade(&request, &detail), OK);
	ws_request_release(&request);
}

static void a_key_is_sixteen_bytes_in_base64(void **state)
{
	static const char *const keys[] = {
		"", "dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZQ===", "dGhlIHNhbXBsZSBub25j ZQ=",
		"dGhlIHNhbXBsZSBub25jZQ=A", "-GhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQAA",
	};
	const char *detail;
	(void)state;

	assert_int_equal(PARSE(GOOD("")), OK);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		request.key = str_from(keys[i]);
		assert_int_equal(ws_request_check_upgrade(&request, &detail), ERR_INVALID_ARGUMENT);
	}
	ws_request_release(&request);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_parts_of_a_good_request_are_found),
		cmocka_unit_test(a_target_may_be_a_whole_url),
		cmocka_unit_test(a_malformed_request_line_is_refused),
		cmocka_unit_test(a_malformed_field_is_refused),
		cmocka_unit_test(a_field_that_may_stand_once_does),
		cmocka_unit_test(a_request_needs_a_host),
		cmocka_unit_test(a_query_of_too_many_fields_is_refused),
		cmocka_unit_test(too_many_offers_are_refused),
		cmocka_unit_test(the_missing_part_of_an_upgrade_is_named),
		cmocka_unit_test(connection_and_upgrade_are_lists),
		cmocka_unit_test(a_key_is_sixteen_bytes_in_base64),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
