/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text/buf.h"
#include "base/clock.h"
#include "ws_client.h"
#include "ws_rig.h"

#define OFFER(fields) CLIENT_REQUEST("/ws") fields "\r\n\r\n"

/* A handshake made of parts. */
#define WITH(upgrade, key, version) \
	"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\n" upgrade "\r\n" key "\r\n" version "\r\n\r\n"
#define KEY(key) "Sec-WebSocket-Key: " key
#define VERSION(version) "Sec-WebSocket-Version: " version

/* Two whole messages, "m1" and "m2", and all but the end of "m3!". */
#define EARLY_FRAMES "\x81\x82\0\0\0\0m1\x81\x82\0\0\0\0m2\x81\x83\0\0\0\0m"

static struct rig rig;

static void a_client_without_a_subprotocol_gets_the_first_and_no_field(void **state)
{
	struct client client;
	struct answer answer;
	(void)state;

	rig_start(&rig);
	client_connect(&client, rig.port, NULL, 0);
	assert_true(client_send_text(&client, CLIENT_REQUEST("/ws") "\r\n"));
	client_read_answer(&client, &answer);
	assert_int_equal(answer.status, 101);
	assert_null(strcasestr(answer.head, "Sec-WebSocket-Protocol"));
	rig_await(&rig, &rig.openings, 1);
	assert_int_equal(rig.last_subprotocol, 0);
	assert_string_equal(rig.last_address, "127.0.0.1");
	assert_int_equal(rig_connections(&rig), 1);
	client_close(&client);
	rig_await(&rig, &rig.closings, 1);
	assert_int_equal(rig.last_code, 1006);
	assert_int_equal(rig_connections(&rig), 0);
}

static void expect_pick(const char *request, const char *name, unsigned index)
{
	struct client client;
	struct answer answer;
	char field[64];

	unsigned openings = rig.openings;
	client_connect(&client, rig.port, NULL, 0);
	assert_true(client_send_text(&client, request));
	client_read_answer(&client, &answer);
	assert_int_equal(answer.status, 101);
	snprintf(field, sizeof(field), "Sec-WebSocket-Protocol: %s", name);
	answer_expect_field(&answer, field);
	rig_await(&rig, &rig.openings, openings + 1);
	assert_int_equal(rig.last_subprotocol, index);
	client_close(&client);
}

static void the_first_known_subprotocol_of_the_offer_is_picked(void **state)
{
	(void)state;

	rig_start(&rig);
	expect_pick(OFFER("Sec-WebSocket-Protocol: skein.v1.json"), "skein.v1.json", 0);
	expect_pick(OFFER("Sec-WebSocket-Protocol: skein.v1.proto"), "skein.v1.proto", 1);
	expect_pick(OFFER("Sec-WebSocket-Protocol: other, skein.v1.proto , skein.v1.json"), "skein.v1.proto", 1);
	expect_pick(OFFER("sec-websocket-protocol:a,,\r\nSEC-WEBSOCKET-PROTOCOL:skein.v1.json"), "skein.v1.json", 0);
}

static void an_offer_of_unknown_subprotocols_only_is_refused(void **state)
{
	(void)state;

	rig_start(&rig);
	client_expect_refusal(rig.port, OFFER("Sec-WebSocket-Protocol: mqtt, SKEIN.v1.json"), 400, "invalid_argument");
	assert_int_equal(rig.accepts, 0);
}

static void an_extension_is_not_taken_up(void **state)
{
	struct client client;
	struct answer answer;
	(void)state;

	rig_start(&rig);
	client_connect(&client, rig.port, NULL, 0);
	assert_true(client_send_text(&client, OFFER("Sec-WebSocket-Extensions: permessage-deflate")));
	client_read_answer(&client, &answer);
	assert_int_equal(answer.status, 101);
	assert_null(strcasestr(answer.head, "Sec-WebSocket-Extensions"));
	client_close(&client);
}

static void a_request_that_comes_byte_by_byte_is_understood(void **state)
{
	static const char request[] = CLIENT_REQUEST("/ws") "\r\n";
	struct client client;
	struct answer answer;
	(void)state;

	rig_start(&rig);
	client_connect(&client, rig.port, NULL, 0);
	for (size_t i = 0; i < sizeof(request) - 1; i++)
		assert_true(client_send(&client, request + i, 1));
	client_read_answer(&client, &answer);
	assert_int_equal(answer.status, 101);
	client_close(&client);
}

static void frames_sent_along_with_the_request_are_not_lost(void **state)
{
	static const char all[] = CLIENT_REQUEST("/ws") "\r\n" EARLY_FRAMES;
	struct client client;
	struct answer answer;
	(void)state;

	rig_start(&rig);
	client_connect(&client, rig.port, NULL, 0);
	assert_true(client_send(&client, all, sizeof(all) - 1));
	client_read_answer(&client, &answer);
	assert_int_equal(answer.status, 101);
	client_expect_text(&client, "m1");
	client_expect_text(&client, "m2");
	assert_true(client_send_text(&client, "3!"));
	client_expect_text(&client, "m3!");
	client_close(&client);
}

static void a_request_that_is_no_handshake_is_refused_with_a_reason(void **state)
{
	struct answer answer;
	(void)state;

	rig_start(&rig);
	client_expect_refusal(rig.port, "GET /ws HTTP/1.1\r\nHost: x\r\n\r\n", 400, "invalid_argument");
	client_expect_refusal(rig.port, CLIENT_REQUEST("/") "\r\n", 404, "not_found");
	client_expect_refusal(rig.port, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", 404, "not_found");
	client_expect_refusal(rig.port, CLIENT_REQUEST("//ws") "\r\n", 404, "not_found");
	client_expect_refusal(rig.port, CLIENT_REQUEST("/ws/") "\r\n", 404, "not_found");
	client_expect_refusal(rig.port, WITH("Upgrade: h2c", KEY(CLIENT_KEY), VERSION("13")), 400, "invalid_argument");
	client_expect_refusal(rig.port, WITH("Upgrade: websocket", KEY(CLIENT_KEY), VERSION("8")), 400, "invalid_argument");
	client_expect_refusal(rig.port, WITH("Upgrade: websocket", KEY(CLIENT_KEY), "X: y"), 400, "invalid_argument");
	client_expect_refusal(rig.port, WITH("Upgrade: websocket", KEY("c2hvcnQ="), VERSION("13")), 400, "invalid_argument");
	client_expect_refusal(rig.port, WITH("Upgrade: websocket", "X: y", VERSION("13")), 400, "invalid_argument");
	client_expect_refusal(rig.port, "POST /ws HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", 405, "method_not_allowed");
	client_ask(rig.port, "GET /ws HTTP/1.1\r\nHost: x\r\n\r\n", &answer);
	answer_expect_field(&answer, "Sec-WebSocket-Version: 13");
	client_ask(rig.port, "POST /ws HTTP/1.1\r\nHost: x\r\n\r\n", &answer);
	answer_expect_field(&answer, "Allow: GET");
	assert_int_equal(rig.accepts, 0);
}

static void bytes_that_are_not_http_are_refused_at_once(void **state)
{
	(void)state;

	rig_start(&rig);
	client_expect_refusal(rig.port, "\x16\x03\x01\x02\x01\x01\x01\xfc\x03\x03", 400, "invalid_argument");
	client_expect_refusal(rig.port, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "invalid_argument");
	client_expect_refusal(rig.port, "HELO\r\n\r\n", 400, "invalid_argument");
}

static err_t refuse(struct rig *r, const struct ws_handshake *handshake, const char **detail)
{
	char code[32];
	(void)r;

	*detail = "says the handler";
	return ws_query(handshake, "refuse", code, sizeof(code)) > 0 ? err_from_code(code) : OK;
}

static void the_handlers_refusal_reaches_the_client_before_the_upgrade(void **state)
{
	struct answer answer;
	(void)state;

	rig.accept = refuse;
	rig_start(&rig);
	client_expect_refusal(rig.port, CLIENT_REQUEST("/ws?refuse=invalid_argument") "\r\n", 400, "invalid_argument");
	client_expect_refusal(rig.port, CLIENT_REQUEST("/ws?refuse=rate_limited") "\r\n", 429, "rate_limited");
	client_ask(rig.port, CLIENT_REQUEST("/ws?refuse=unauthenticated") "\r\n", &answer);
	assert_int_equal(answer.status, 401);
	answer_expect_field(&answer, "WWW-Authenticate: Bearer");
	assert_non_null(strstr(answer.body, "says the handler"));
	client_ask(rig.port, CLIENT_REQUEST("/ws?refuse=unavailable") "\r\n", &answer);
	assert_int_equal(answer.status, 503);
	answer_expect_field(&answer, "Retry-After: 1");
	assert_int_equal(rig.closings, 0);
}

static struct buf seen;

static void note_query(const struct ws_handshake *handshake, const char *name)
{
	char value[16];
	int len = ws_query(handshake, name, value, sizeof(value));

	buf_printf(&seen, "%s=%d(%s) ", name, len, value);
}

static err_t note_request(struct rig *r, const struct ws_handshake *handshake, const char **detail)
{
	(void)r;
	(void)detail;

	buf_clear(&seen);
	buf_printf(&seen, "%.*s auth=%.*s offer=%d ", STR_ARG(handshake->path), STR_ARG(handshake->authorization),
	           handshake->wants_subprotocol);
	note_query(handshake, "a");
	note_query(handshake, "b");
	return OK;
}

static void expect_seen(const char *request, const char *expected)
{
	struct client client;
	struct answer answer;

	unsigned openings = rig.openings;
	client_connect(&client, rig.port, NULL, 0);
	assert_true(client_send_text(&client, request));
	client_read_answer(&client, &answer);
	assert_int_equal(answer.status, 101);
	rig_await(&rig, &rig.openings, openings + 1);
	client_close(&client);
	assert_string_equal(buf_text(&seen), expected);
}

static void the_query_is_decoded_once_and_bounded(void **state)
{
	(void)state;

	rig.accept = note_request;
	rig_start(&rig);
	expect_seen(CLIENT_REQUEST("/ws") "\r\n", "/ws auth= offer=0 a=-1() b=-1() ");
	expect_seen(CLIENT_REQUEST("/ws?a=1&b=") "\r\n", "/ws auth= offer=0 a=1(1) b=0() ");
	expect_seen(CLIENT_REQUEST("/ws?a=x%2By&b=x+y") "\r\n", "/ws auth= offer=0 a=3(x+y) b=3(x y) ");
	expect_seen(CLIENT_REQUEST("/ws?b=%252B&c=%41") "\r\n", "/ws auth= offer=0 a=-1() b=3(%2B) ");
	expect_seen(CLIENT_REQUEST("/ws?a=%C3%A9&aa=2&b=a=1") "\r\n", "/ws auth= offer=0 a=2(\xc3\xa9) b=3(a=1) ");
	expect_seen(CLIENT_REQUEST("/ws?a=1&b=2&a=1") "\r\n", "/ws auth= offer=0 a=-2() b=1(2) ");
	expect_seen(CLIENT_REQUEST("/ws?a=123456789012345&b=1234567890123456") "\r\n",
	            "/ws auth= offer=0 a=15(123456789012345) b=-2() ");
	expect_seen(OFFER("Authorization: Bearer x.y "), "/ws auth=Bearer x.y offer=0 a=-1() b=-1() ");
	expect_seen(OFFER("Sec-WebSocket-Protocol: skein.v1.json"), "/ws auth= offer=1 a=-1() b=-1() ");
	buf_release(&seen);
}

static void a_query_that_cannot_be_decoded_is_refused(void **state)
{
	(void)state;

	rig_start(&rig);
	client_expect_refusal(rig.port, CLIENT_REQUEST("/ws?a=%00") "\r\n", 400, "invalid_argument");
	client_expect_refusal(rig.port, CLIENT_REQUEST("/ws?a=%zz") "\r\n", 400, "invalid_argument");
	client_expect_refusal(rig.port, CLIENT_REQUEST("/ws?a=%2") "\r\n", 400, "invalid_argument");
	client_expect_refusal(rig.port, CLIENT_REQUEST("/ws?a=%ff") "\r\n", 400, "invalid_argument");
	assert_int_equal(rig.accepts, 0);
}

static err_t measure_token(struct rig *r, const struct ws_handshake *handshake, const char **detail)
{
	static char value[16384];

	(void)detail;
	*(int *)r->own = ws_query(handshake, "token", value, sizeof(value));
	return OK;
}

static void a_large_token_passes_and_an_endless_head_does_not(void **state)
{
	struct buf request = { 0 };
	int len = 0;
	(void)state;

	rig.accept = measure_token;
	rig.own = &len;
	rig_start(&rig);
	buf_append_text(&request, "GET /ws?token=");
	for (int i = 0; i < 8000; i++)
		buf_append_char(&request, 'x');
	buf_append_text(&request, strstr(CLIENT_REQUEST("/ws"), " HTTP"));
	buf_append_text(&request, "\r\n");
	struct client client;
	struct answer answer;
	client_connect(&client, rig.port, NULL, 0);
	assert_true(client_send(&client, request.ptr, request.len));
	client_read_answer(&client, &answer);
	assert_int_equal(answer.status, 101);
	rig_await(&rig, &rig.openings, 1);
	assert_int_equal(len, 8000);
	client_close(&client);

	buf_clear(&request);
	buf_append_text(&request, "GET /ws HTTP/1.1\r\nHost: x\r\n");
	while (request.len < 20000)
		buf_append_text(&request, "X-Filler: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n");
	client_expect_refusal(rig.port, buf_text(&request), 413, "too_large");
	buf_release(&request);
}

int main(void)
{
#define T(name) cmocka_unit_test_prestate_setup_teardown(name, rig_setup, rig_teardown, &rig)
	const struct CMUnitTest tests[] = {
		T(a_client_without_a_subprotocol_gets_the_first_and_no_field),
		T(the_first_known_subprotocol_of_the_offer_is_picked),
		T(an_offer_of_unknown_subprotocols_only_is_refused),
		T(an_extension_is_not_taken_up),
		T(a_request_that_comes_byte_by_byte_is_understood),
		T(frames_sent_along_with_the_request_are_not_lost),
		T(a_request_that_is_no_handshake_is_refused_with_a_reason),
		T(bytes_that_are_not_http_are_refused_at_once),
		T(the_handlers_refusal_reaches_the_client_before_the_upgrade),
		T(the_query_is_decoded_once_and_bounded),
		T(a_query_that_cannot_be_decoded_is_refused),
		T(a_large_token_passes_and_an_endless_head_does_not),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
