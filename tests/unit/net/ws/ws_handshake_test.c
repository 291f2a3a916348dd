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

static int start(void **state)
{
	(void)state;
	rig_init(&rig);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	rig_stop(&rig);
	return 0;
}

/* Sends a whole request and reads the answer, after which the server must hang up. */
static void ask(const char *request, struct answer *answer)
{
	struct client client;

	client_connect(&client, rig.port, NULL, 0);
	assert_true(client_send_text(&client, request));
	client_read_answer(&client, answer);
	client_expect_end(&client);
	client_close(&client);
}

static void expect_field(const struct answer *answer, const char *line)
{
	char whole[256];

	snprintf(whole, sizeof(whole), "\r\n%s\r\n", line);
	if (!strstr(answer->head, whole))
		fail_msg("%s is missing in %s", line, answer->head);
}

static void expect_refusal(const char *request, int status, const char *code)
{
	struct answer answer;
	char member[128];

	ask(request, &answer);
	assert_int_equal(answer.status, status);
	expect_field(&answer, "Content-Type: application/problem+json");
	expect_field(&answer, "Connection: close");
	snprintf(member, sizeof(member), "\"type\":\"urn:skein:error:%s\"", code);
	assert_non_null(strstr(answer.body, member));
	snprintf(member, sizeof(member), "\"status\":%d", status);
	assert_non_null(strstr(answer.body, member));
	snprintf(member, sizeof(member), "\"code\":\"%s\"", code);
	assert_non_null(strstr(answer.body, member));
	assert_non_null(strstr(answer.body, "\"detail\":\""));
}

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
	expect_field(&answer, field);
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
	expect_refusal(OFFER("Sec-WebSocket-Protocol: mqtt, SKEIN.v1.json"), 400, "invalid_argument");
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
	expect_refusal("GET /ws HTTP/1.1\r\nHost: x\r\n\r\n", 400, "invalid_argument");
	expect_refusal(CLIENT_REQUEST("/") "\r\n", 404, "not_found");
	expect_refusal("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", 404, "not_found");
	expect_refusal(CLIENT_REQUEST("//ws") "\r\n", 404, "not_found");
	expect_refusal(CLIENT_REQUEST("/ws/") "\r\n", 404, "not_found");
	expect_refusal(WITH("Upgrade: h2c", KEY(CLIENT_KEY), VERSION("13")), 400, "invalid_argument");
	expect_refusal(WITH("Upgrade: websocket", KEY(CLIENT_KEY), VERSION("8")), 400, "invalid_argument");
	expect_refusal(WITH("Upgrade: websocket", KEY(CLIENT_KEY), "X: y"), 400, "invalid_argument");
	expect_refusal(WITH("Upgrade: websocket", KEY("c2hvcnQ="), VERSION("13")), 400, "invalid_argument");
	expect_refusal(WITH("Upgrade: websocket", "X: y", VERSION("13")), 400, "invalid_argument");
	expect_refusal("POST /ws HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", 405, "method_not_allowed");
	ask("GET /ws HTTP/1.1\r\nHost: x\r\n\r\n", &answer);
	expect_field(&answer, "Sec-WebSocket-Version: 13");
	ask("POST /ws HTTP/1.1\r\nHost: x\r\n\r\n", &answer);
	expect_field(&answer, "Allow: GET");
	assert_int_equal(rig.accepts, 0);
}

static void bytes_that_are_not_http_are_refused_at_once(void **state)
{
	(void)state;

	rig_start(&rig);
	expect_refusal("\x16\x03\x01\x02\x01\x01\x01\xfc\x03\x03", 400, "invalid_argument");
	expect_refusal("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "invalid_argument");
	expect_refusal("HELO\r\n\r\n", 400, "invalid_argument");
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
	expect_refusal(CLIENT_REQUEST("/ws?refuse=invalid_argument") "\r\n", 400, "invalid_argument");
	expect_refusal(CLIENT_REQUEST("/ws?refuse=rate_limited") "\r\n", 429, "rate_limited");
	ask(CLIENT_REQUEST("/ws?refuse=unauthenticated") "\r\n", &answer);
	assert_int_equal(answer.status, 401);
	expect_field(&answer, "WWW-Authenticate: Bearer");
	assert_non_null(strstr(answer.body, "says the handler"));
	ask(CLIENT_REQUEST("/ws?refuse=unavailable") "\r\n", &answer);
	assert_int_equal(answer.status, 503);
	expect_field(&answer, "Retry-After: 1");
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
	expect_refusal(CLIENT_REQUEST("/ws?a=%00") "\r\n", 400, "invalid_argument");
	expect_refusal(CLIENT_REQUEST("/ws?a=%zz") "\r\n", 400, "invalid_argument");
	expect_refusal(CLIENT_REQUEST("/ws?a=%2") "\r\n", 400, "invalid_argument");
	expect_refusal(CLIENT_REQUEST("/ws?a=%ff") "\r\n", 400, "invalid_argument");
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
	expect_refusal(buf_text(&request), 413, "too_large");
	buf_release(&request);
}

static void slow_handshakes_die_at_their_deadline(void **state)
{
	struct client silent, half, dripping;
	uint64_t start_ms = clock_mono_ms();
	(void)state;

	rig.options.handshake_timeout_ms = 300;
	rig_start(&rig);
	client_connect(&silent, rig.port, NULL, 0);
	client_connect(&half, rig.port, NULL, 0);
	assert_true(client_send_text(&half, "GET /ws HTTP/1.1\r\nHost: x\r\n"));
	client_connect(&dripping, rig.port, NULL, 0);
	assert_true(client_send_text(&dripping, "GET /ws HTTP/1.1\r\nX-Drip: "));
	while (!client_has_input(&dripping, 10))
		if (!client_send_text(&dripping, "x"))
			break;
	uint64_t took = clock_mono_ms() - start_ms;
	assert_in_range(took, 290, 9000);
	client_expect_end(&silent);
	client_expect_end(&half);
	client_close(&silent);
	client_close(&half);
	client_close(&dripping);
	assert_int_equal(rig.accepts, 0);
}

static void a_refused_client_that_does_not_hang_up_is_dropped(void **state)
{
	struct client client;
	struct answer answer;
	uint64_t start_ms = clock_mono_ms();
	(void)state;

	rig.options.handshake_timeout_ms = 300;
	rig_start(&rig);
	client_connect(&client, rig.port, NULL, 0);
	assert_true(client_send_text(&client, CLIENT_REQUEST("/elsewhere") "\r\n"));
	client_read_answer(&client, &answer);
	assert_int_equal(answer.status, 404);
	while (client_send_text(&client, "more"))
		assert_true(clock_mono_ms() - start_ms < 9000);
	client_close(&client);
}

static void a_refused_client_may_finish_what_it_is_sending(void **state)
{
	struct client client;
	struct answer answer;
	(void)state;

	rig_start(&rig);
	client_connect(&client, rig.port, NULL, 0);
	assert_true(client_send_text(&client, CLIENT_REQUEST("/elsewhere") "\r\n"));
	client_read_answer(&client, &answer);
	assert_int_equal(answer.status, 404);
	/* A socket that was closed would answer the first by a reset. */
	assert_true(client_send_text(&client, "more"));
	assert_true(client_send_text(&client, "and more"));
	client_expect_end(&client);
	client_close(&client);
}

static void handshakes_are_counted_per_address(void **state)
{
	struct client pending[3], other, ready;
	struct answer answer;
	(void)state;

	rig.options.handshake_timeout_ms = 60000; /* later than a test waits */
	rig.options.max_handshakes_per_address = 3;
	rig_start(&rig);
	for (int i = 0; i < 3; i++) {
		client_connect(&pending[i], rig.port, NULL, 0);
		assert_true(client_send_text(&pending[i], "GET"));
	}
	client_connect(&other, rig.port, NULL, 0);
	client_expect_end(&other);
	client_close(&other);

	/* Another address has a count of its own. */
	client_connect(&other, rig.port, "127.0.0.2", 0);
	assert_true(client_send_text(&other, CLIENT_REQUEST("/ws") "\r\n"));
	client_read_answer(&other, &answer);
	assert_int_equal(answer.status, 101);
	rig_await(&rig, &rig.openings, 1);
	assert_string_equal(rig.last_address, "127.0.0.2");

	/* A finished handshake makes room. */
	assert_true(client_send_text(&pending[0], strchr(CLIENT_REQUEST("/ws") "\r\n", ' ')));
	client_read_answer(&pending[0], &answer);
	assert_int_equal(answer.status, 101);
	client_open(&ready, rig.port, "");
	client_close(&ready);
	client_close(&other);
	for (int i = 0; i < 3; i++)
		client_close(&pending[i]);
}

static void connections_over_the_cap_are_closed_at_once(void **state)
{
	struct client open[2], waiting, late;
	(void)state;

	rig.options.handshake_timeout_ms = 60000; /* later than a test waits */
	rig.options.max_connections = 3;
	rig_start(&rig);
	client_open(&open[0], rig.port, "");
	client_open(&open[1], rig.port, "");
	client_connect(&waiting, rig.port, NULL, 0);
	client_connect(&late, rig.port, NULL, 0);
	client_expect_end(&late);
	client_close(&late);
	client_close(&open[0]);
	rig_await(&rig, &rig.closings, 1);
	client_open(&late, rig.port, "");
	client_close(&late);
	client_close(&waiting);
	client_close(&open[1]);
}

static void stop_listening(struct rig *r, void *arg)
{
	(void)arg;
	ws_server_stop_listening(r->server);
}

static void an_open_handshake_is_refused_when_the_server_stops_listening(void **state)
{
	struct client pending, ready;
	struct answer answer;
	(void)state;

	rig_start(&rig);
	client_open(&ready, rig.port, "");
	client_connect(&pending, rig.port, NULL, 0);
	assert_true(client_send_text(&pending, "GET /ws HTTP/1.1\r\n"));
	/* The echo proves that the server has seen both. */
	assert_true(client_send_frame(&ready, 0x81, "1", 1));
	client_expect_text(&ready, "1");
	rig_run(&rig, stop_listening, NULL);
	client_read_answer(&pending, &answer);
	assert_int_equal(answer.status, 503);
	expect_field(&answer, "Retry-After: 1");
	client_expect_end(&pending);
	client_close(&pending);

	assert_true(client_send_frame(&ready, 0x81, "2", 1));
	client_expect_text(&ready, "2");
	client_close(&ready);
}

static err_t stop_in_accept(struct rig *r, const struct ws_handshake *handshake, const char **detail)
{
	(void)handshake;
	(void)detail;
	ws_server_stop_listening(r->server);
	return OK;
}

static void a_handler_may_stop_the_listener_under_its_own_handshake(void **state)
{
	(void)state;

	rig.accept = stop_in_accept;
	rig_start(&rig);
	expect_refusal(CLIENT_REQUEST("/ws") "\r\n", 503, "unavailable");
	rig_await(&rig, &rig.closings, 1);
	assert_int_equal(rig.last_code, 1006);
	assert_int_equal(rig.openings, 0);
}

static err_t close_in_accept(struct rig *r, const struct ws_handshake *handshake, const char **detail)
{
	(void)handshake;
	(void)detail;
	rig_close_server(r);
	return OK;
}

static void a_handler_may_close_the_server_under_its_own_handshake(void **state)
{
	struct client client;
	(void)state;

	rig.accept = close_in_accept;
	rig_start(&rig);
	client_connect(&client, rig.port, NULL, 0);
	assert_true(client_send_text(&client, CLIENT_REQUEST("/ws") "\r\n"));
	client_expect_end(&client);
	client_close(&client);
	rig_await(&rig, &rig.closings, 1);
	assert_int_equal(rig.openings, 0);
}

static void a_port_in_use_is_refused_unless_it_is_shared(void **state)
{
	struct ws_server_options options;
	struct ws_server *second;
	struct worker worker;
	char listen[32];
	(void)state;

	rig_start(&rig);
	options = rig.options;
	snprintf(listen, sizeof(listen), "127.0.0.1:%u", rig.port);
	options.listen = listen;
	assert_int_equal(worker_init(&worker, "second"), OK);
	assert_int_equal(ws_server_new(&second, &worker, &options), ERR_IO);
	options.listen = "nowhere";
	assert_int_equal(ws_server_new(&second, &worker, &options), ERR_BAD_CONFIG);
	worker_stop(&worker);
	worker_join(&worker);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, start, stop)
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
		T(slow_handshakes_die_at_their_deadline),
		T(a_refused_client_that_does_not_hang_up_is_dropped),
		T(a_refused_client_may_finish_what_it_is_sending),
		T(handshakes_are_counted_per_address),
		T(connections_over_the_cap_are_closed_at_once),
		T(an_open_handshake_is_refused_when_the_server_stops_listening),
		T(a_handler_may_stop_the_listener_under_its_own_handshake),
		T(a_handler_may_close_the_server_under_its_own_handshake),
		T(a_port_in_use_is_refused_unless_it_is_shared),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
