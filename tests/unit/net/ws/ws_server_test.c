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

#include "ws_client.h"
#include "ws_rig.h"

#define FIN_TEXT 0x81
#define FIN_BINARY 0x82
#define TEXT 0x01
#define BINARY 0x02
#define MORE 0x00
#define FIN_MORE 0x80
#define FIN_CLOSE 0x88
#define FIN_PING 0x89
#define FIN_PONG 0x8a

static struct rig rig;
static struct client client;
static struct frame frame;

static int start(void **state)
{
	(void)state;
	rig_init(&rig);
	rig.options.max_message = 1000;
	return 0;
}

static int stop(void **state)
{
	(void)state;
	rig_stop(&rig);
	return 0;
}

static void open_client(void)
{
	rig_start(&rig);
	client_open(&client, rig.port, "");
}

static void send_frame(unsigned char first, const char *payload)
{
	assert_true(client_send_frame(&client, first, payload, strlen(payload)));
}

static void send_close(uint16_t code, const char *reason)
{
	char payload[128] = { (char)(code >> 8), (char)code };

	snprintf(payload + 2, sizeof(payload) - 2, "%s", reason);
	assert_true(client_send_frame(&client, FIN_CLOSE, payload, 2 + strlen(reason)));
}

/* The client takes part in the closing handshake: its echo is the end. */
static void expect_closing(uint16_t code)
{
	client_expect_close(&client, code);
	send_close(code, "");
	client_expect_end(&client);
	rig_await(&rig, &rig.closings, 1);
	assert_int_equal(rig.last_code, code);
	client_close(&client);
}

static void messages_of_every_length_come_back(void **state)
{
	static const size_t lengths[] = { 0, 1, 125, 126, 127, 255, 256, 257, 1000 };
	char payload[1001];
	(void)state;

	open_client();
	memset(payload, 'a', sizeof(payload));
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		assert_true(client_send_frame(&client, FIN_TEXT, payload, lengths[i]));
		client_read_frame(&client, &frame);
		assert_int_equal(frame.first, FIN_TEXT);
		assert_int_equal(frame.len, lengths[i]);
		assert_memory_equal(frame.payload, payload, frame.len);
	}
	client_close(&client);
}

static void binary_and_text_are_told_apart(void **state)
{
	(void)state;

	open_client();
	assert_true(client_send_frame(&client, FIN_BINARY, "\xff\x00\x80", 3));
	client_read_frame(&client, &frame);
	assert_int_equal(frame.first, FIN_BINARY);
	assert_int_equal(frame.len, 3);
	assert_memory_equal(frame.payload, "\xff\x00\x80", 3);
	send_frame(BINARY, "\xfe");
	send_frame(FIN_MORE, "\xff");
	client_read_frame(&client, &frame);
	assert_int_equal(frame.first, FIN_BINARY);
	assert_string_equal(frame.payload, "\xfe\xff");
	client_close(&client);
}

static void fragments_are_put_together_around_control_frames(void **state)
{
	(void)state;

	open_client();
	send_frame(TEXT, "one ");
	send_frame(FIN_PING, "p1");
	client_read_frame(&client, &frame);
	assert_int_equal(frame.first, FIN_PONG);
	assert_string_equal(frame.payload, "p1");
	send_frame(MORE, "");
	send_frame(MORE, "two ");
	send_frame(FIN_PONG, "unasked");
	send_frame(FIN_MORE, "three");
	client_expect_text(&client, "one two three");
	send_frame(TEXT, "");
	send_frame(FIN_MORE, "after nothing");
	client_expect_text(&client, "after nothing");
	send_frame(TEXT, "");
	send_frame(FIN_MORE, "");
	client_expect_text(&client, "");
	assert_int_equal(rig.pongs, 1);
	client_close(&client);
}

static void a_message_that_comes_byte_by_byte_is_whole(void **state)
{
	static const char bytes[] = "\x81\x86\x01\x02\x03\x04s\x00lm\x00s"; /* each byte xor its mask */
	(void)state;

	open_client();
	for (size_t i = 0; i < sizeof(bytes) - 1; i++)
		assert_true(client_send(&client, bytes + i, 1));
	client_expect_text(&client, "r\x02oi\x01q");
	client_close(&client);
}

static void a_message_over_the_limit_closes_with_1009(void **state)
{
	char payload[1001];
	(void)state;

	open_client();
	memset(payload, 'a', sizeof(payload));
	assert_true(client_send_frame(&client, FIN_TEXT, payload, sizeof(payload)));
	expect_closing(1009);
	assert_int_equal(rig.messages, 0);
}

static void fragments_over_the_limit_close_with_1009(void **state)
{
	char payload[500];
	(void)state;

	open_client();
	memset(payload, 'a', sizeof(payload));
	assert_true(client_send_frame(&client, TEXT, payload, 500));
	assert_true(client_send_frame(&client, MORE, payload, 500));
	assert_true(client_send_frame(&client, FIN_MORE, payload, 1));
	expect_closing(1009);
	assert_int_equal(rig.messages, 0);
}

static void a_huge_announced_length_is_refused_with_its_first_byte(void **state)
{
	static const uint64_t lengths[] = { 1001, 65536, 1ull << 31, 1ull << 32, 1ull << 40, (1ull << 63) - 1 };
	(void)state;

	rig_start(&rig);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		client_open(&client, rig.port, "");
		assert_true(client_send_header(&client, FIN_BINARY, lengths[i]));
		assert_true(client_send(&client, "x", 1));
		client_expect_close(&client, 1009);
		client_close(&client);
	}
}

static void a_length_of_64_bits_closes_with_1002(void **state)
{
	(void)state;

	open_client();
	assert_true(client_send_header(&client, FIN_BINARY, 1ull << 63));
	client_expect_close(&client, 1002);
	client_expect_end(&client);
	rig_await(&rig, &rig.closings, 1);
	assert_int_equal(rig.last_code, 1002);
	client_close(&client);
}

static void text_that_is_not_utf8_closes_with_1007(void **state)
{
	(void)state;

	open_client();
	send_frame(FIN_TEXT, "bad \xc3\x28");
	expect_closing(1007);
	assert_int_equal(rig.messages, 0);
}

static void a_character_may_be_split_over_fragments_but_not_be_cut_off(void **state)
{
	(void)state;

	open_client();
	send_frame(TEXT, "\xf0\x9f");
	send_frame(MORE, "\x98");
	send_frame(FIN_MORE, "\x80");
	client_expect_text(&client, "\xf0\x9f\x98\x80");
	send_frame(TEXT, "\xf0\x9f");
	send_frame(FIN_MORE, "\x98");
	expect_closing(1007);
	assert_int_equal(rig.messages, 1);
}

static void violations_of_the_framing_close_with_1002(void **state)
{
	static const unsigned char firsts[] = {
		0xc1, 0xa1, 0x91, /* reserved bits */
		0x83, 0x87, 0x8b, 0x8f, /* unknown opcodes */
		0x80, 0x00, /* the continuation of nothing */
		0x08, 0x09, 0x0a, /* fragmented control frames */
	};
	(void)state;

	rig_start(&rig);
	for (unsigned i = 0; i < sizeof(firsts); i++) {
		client_open(&client, rig.port, "");
		send_frame(firsts[i], "x");
		client_expect_close(&client, 1002);
		client_close(&client);
		rig_await(&rig, &rig.closings, i + 1);
		assert_int_equal(rig.last_code, 1002);
	}
	assert_int_equal(rig.messages, 0);
}

static void a_new_message_inside_a_fragmented_one_closes_with_1002(void **state)
{
	(void)state;

	open_client();
	send_frame(TEXT, "one");
	send_frame(FIN_TEXT, "two");
	expect_closing(1002);
}

static void a_control_frame_that_is_too_long_closes_with_1002(void **state)
{
	char payload[126] = { 0 };
	(void)state;

	open_client();
	assert_true(client_send_frame(&client, FIN_PING, payload, sizeof(payload)));
	client_expect_close(&client, 1002);
	client_close(&client);
	rig_await(&rig, &rig.closings, 1);
	assert_int_equal(rig.last_code, 1002);
}

/* lws does not tell: what matters is that nothing breaks. */
static void an_unmasked_frame_does_no_harm(void **state)
{
	(void)state;

	open_client();
	assert_true(client_send(&client, "\x81\x05naked", 7));
	client_expect_text(&client, "naked");
	assert_true(client_send(&client, "\x81\x00", 2));
	client_expect_text(&client, "");
	send_frame(FIN_TEXT, "masked");
	client_expect_text(&client, "masked");
	client_close(&client);
}

static void a_ping_is_answered_and_counts_as_a_sign_of_life(void **state)
{
	char payload[125];
	(void)state;

	open_client();
	memset(payload, 'p', sizeof(payload));
	assert_true(client_send_frame(&client, FIN_PING, payload, sizeof(payload)));
	client_read_frame(&client, &frame);
	assert_int_equal(frame.first, FIN_PONG);
	assert_int_equal(frame.len, sizeof(payload));
	assert_memory_equal(frame.payload, payload, sizeof(payload));
	send_frame(FIN_PING, "");
	client_read_frame(&client, &frame);
	assert_int_equal(frame.first, FIN_PONG);
	assert_int_equal(frame.len, 0);
	rig_await(&rig, &rig.signs_of_life, 2);
	client_close(&client);
}

static void ping(struct rig *r, void *arg)
{
	(void)arg;
	ws_ping(r->last);
}

static void the_answer_to_our_ping_is_told(void **state)
{
	(void)state;

	open_client();
	rig_await(&rig, &rig.openings, 1);
	rig_run(&rig, ping, NULL);
	client_read_frame(&client, &frame);
	assert_int_equal(frame.first, FIN_PING);
	assert_true(frame.len > 0);
	assert_true(client_send_frame(&client, FIN_PONG, frame.payload, frame.len));
	rig_await(&rig, &rig.pongs, 1);
	assert_string_equal(rig.last_pong, frame.payload);
	assert_int_equal(rig.signs_of_life, 1);
	client_close(&client);
}

struct farewell {
	uint16_t code;
	const char *reason;
};

static void close_last(struct rig *r, void *arg)
{
	const struct farewell *farewell = arg;

	ws_close(r->last, farewell->code, farewell->reason);
	ws_close(r->last, 4999, "only the first counts");
	if (ws_write(r->last, "\x81\x01x", 3) != ERR_CLOSED)
		r->wrong = "a closing connection takes writes";
}

static void our_close_is_the_last_frame_and_waits_for_the_answer(void **state)
{
	struct farewell farewell = { 4001, "newer login" };
	(void)state;

	open_client();
	rig_await(&rig, &rig.openings, 1);
	rig_run(&rig, close_last, &farewell);
	client_read_frame(&client, &frame);
	assert_int_equal(frame.first, FIN_CLOSE);
	assert_string_equal(frame.payload, "\x0f\xa1newer login");
	assert_int_equal(rig_connections(&rig), 1);
	send_frame(FIN_TEXT, "too late");
	send_close(1000, "");
	client_expect_end(&client);
	rig_await(&rig, &rig.closings, 1);
	assert_int_equal(rig.last_code, 4001);
	assert_int_equal(rig.messages, 0);
	assert_int_equal(rig_connections(&rig), 0);
	client_close(&client);
}

static void a_peer_that_does_not_answer_our_close_is_dropped(void **state)
{
	struct farewell farewell = { 1001, "draining" };
	(void)state;

	rig.options.close_timeout_ms = 100;
	open_client();
	rig_await(&rig, &rig.openings, 1);
	rig_run(&rig, close_last, &farewell);
	client_expect_close(&client, 1001);
	client_expect_end(&client);
	rig_await(&rig, &rig.closings, 1);
	assert_int_equal(rig.last_code, 1001);
	client_close(&client);
}

static void the_peers_close_is_answered_with_its_code(void **state)
{
	(void)state;

	open_client();
	send_close(4321, "bye");
	client_expect_close(&client, 4321);
	client_expect_end(&client);
	rig_await(&rig, &rig.closings, 1);
	assert_int_equal(rig.last_code, 4321);
	client_close(&client);
}

static void a_close_without_a_code_is_answered_by_one(void **state)
{
	(void)state;

	open_client();
	send_frame(FIN_CLOSE, "");
	client_read_frame(&client, &frame);
	assert_int_equal(frame.first, FIN_CLOSE);
	assert_int_equal(frame.len, 0);
	client_expect_end(&client);
	rig_await(&rig, &rig.closings, 1);
	assert_int_equal(rig.last_code, 1005);
	client_close(&client);
}

static void a_malformed_close_is_answered_with_what_is_wrong(void **state)
{
	static const struct {
		const char *payload;
		size_t len;
		uint16_t answer;
	} cases[] = {
		{ "\x03", 1, 1002 },
		{ "\x03\xed", 2, 1002 }, /* 1005 */
		{ "\x00\x01", 2, 1002 },
		{ "\x07\xd0", 2, 1002 }, /* 2000 */
		{ "\x03\xe8\xff", 3, 1007 },
	};
	(void)state;

	rig_start(&rig);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		client_open(&client, rig.port, "");
		assert_true(client_send_frame(&client, FIN_CLOSE, cases[i].payload, cases[i].len));
		client_expect_close(&client, cases[i].answer);
		client_expect_end(&client);
		client_close(&client);
	}
}

static void a_peer_that_hangs_up_is_told_as_1006(void **state)
{
	(void)state;

	open_client();
	send_frame(TEXT, "half a message");
	client_hang_up(&client);
	client_expect_end(&client);
	rig_await(&rig, &rig.closings, 1);
	assert_int_equal(rig.last_code, 1006);
	client_close(&client);
}

static void drop_last(struct rig *r, void *arg)
{
	(void)arg;
	ws_drop(r->last);
	ws_drop(r->last);
	ws_close(r->last, 1000, "");
	if (ws_write(r->last, "\x81\x01x", 3) != ERR_CLOSED)
		r->wrong = "a dropped connection takes writes";
}

static void a_dropped_connection_ends_without_a_close_frame(void **state)
{
	(void)state;

	open_client();
	rig_await(&rig, &rig.openings, 1);
	rig_run(&rig, drop_last, NULL);
	client_expect_end(&client);
	rig_await(&rig, &rig.closings, 1);
	assert_int_equal(rig.last_code, 1006);
	client_close(&client);
}

/* Messages are commands: what the handler does with its connection from inside lws. */
static void obey(struct rig *r, struct ws_conn *conn, bool is_binary, struct str message)
{
	if (str_equal(message, STR("close")))
		ws_close(conn, 4003, "as told");
	else if (str_equal(message, STR("drop")))
		ws_drop(conn);
	else if (str_equal(message, STR("end")))
		rig_close_server(r);
	else
		rig_send(conn, is_binary, message);
}

static void a_handler_may_close_and_drop_its_own_connection(void **state)
{
	(void)state;

	rig.message = obey;
	open_client();
	send_frame(FIN_TEXT, "close");
	send_frame(FIN_TEXT, "not seen any more");
	expect_closing(4003);
	assert_int_equal(rig.messages, 1);
	client_open(&client, rig.port, "");
	send_frame(TEXT, "dr");
	send_frame(FIN_MORE, "op");
	client_expect_end(&client);
	rig_await(&rig, &rig.closings, 2);
	client_close(&client);
}

static void a_handler_may_close_the_server(void **state)
{
	(void)state;

	rig.message = obey;
	open_client();
	send_frame(FIN_TEXT, "end");
	client_expect_end(&client);
	rig_await(&rig, &rig.closings, 1);
	assert_int_equal(rig.last_code, 1006);
	client_close(&client);
}

static void close_at_once(struct rig *r, struct ws_conn *conn)
{
	(void)r;
	rig_send(conn, false, STR("hello"));
	ws_close(conn, 4002, "expired");
}

static void drop_at_once(struct rig *r, struct ws_conn *conn)
{
	(void)r;
	ws_drop(conn);
}

static void a_connection_may_be_closed_in_its_opening(void **state)
{
	(void)state;

	rig.opened = close_at_once;
	open_client();
	client_expect_text(&client, "hello");
	expect_closing(4002);
}

static void a_connection_may_be_dropped_in_its_opening(void **state)
{
	(void)state;

	rig.opened = drop_at_once;
	rig_start(&rig);
	client_connect(&client, rig.port, NULL, 0);
	assert_true(client_send_text(&client, CLIENT_REQUEST("/ws") "\r\n"));
	rig_await(&rig, &rig.closings, 1);
	client_close(&client);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, start, stop)
	const struct CMUnitTest tests[] = {
		T(messages_of_every_length_come_back),
		T(binary_and_text_are_told_apart),
		T(fragments_are_put_together_around_control_frames),
		T(a_message_that_comes_byte_by_byte_is_whole),
		T(a_message_over_the_limit_closes_with_1009),
		T(fragments_over_the_limit_close_with_1009),
		T(a_huge_announced_length_is_refused_with_its_first_byte),
		T(a_length_of_64_bits_closes_with_1002),
		T(text_that_is_not_utf8_closes_with_1007),
		T(a_character_may_be_split_over_fragments_but_not_be_cut_off),
		T(violations_of_the_framing_close_with_1002),
		T(a_new_message_inside_a_fragmented_one_closes_with_1002),
		T(a_control_frame_that_is_too_long_closes_with_1002),
		T(an_unmasked_frame_does_no_harm),
		T(a_ping_is_answered_and_counts_as_a_sign_of_life),
		T(the_answer_to_our_ping_is_told),
		T(our_close_is_the_last_frame_and_waits_for_the_answer),
		T(a_peer_that_does_not_answer_our_close_is_dropped),
		T(the_peers_close_is_answered_with_its_code),
		T(a_close_without_a_code_is_answered_by_one),
		T(a_malformed_close_is_answered_with_what_is_wrong),
		T(a_peer_that_hangs_up_is_told_as_1006),
		T(a_dropped_connection_ends_without_a_close_frame),
		T(a_handler_may_close_and_drop_its_own_connection),
		T(a_handler_may_close_the_server),
		T(a_connection_may_be_closed_in_its_opening),
		T(a_connection_may_be_dropped_in_its_opening),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
