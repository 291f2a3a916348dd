/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "ws_pair.h"

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
	rig_await(&pair.rig, &pair.rig.openings, 1);
	rig_run(&pair.rig, close_last, &farewell);
	client_read_frame(&pair.client, &pair.frame);
	assert_int_equal(pair.frame.first, FIN_CLOSE);
	assert_string_equal(pair.frame.payload, "\x0f\xa1newer login");
	assert_int_equal(rig_connections(&pair.rig), 1);
	send_frame(FIN_TEXT, "too late");
	send_close(1000, "");
	client_expect_end(&pair.client);
	rig_await(&pair.rig, &pair.rig.closings, 1);
	assert_int_equal(pair.rig.last_code, 4001);
	assert_int_equal(pair.rig.messages, 0);
	assert_int_equal(rig_connections(&pair.rig), 0);
	client_close(&pair.client);
}

static void a_message_that_is_not_finished_in_time_closes_with_1008(void **state)
{
	static const unsigned char firsts[] = { TEXT, FIN_TEXT, FIN_PING };
	(void)state;

	pair.rig.options.message_timeout_ms = 100;
	for (size_t i = 0; i < ARRAY_LEN(firsts); i++) {
		if (i == 0)
			open_client();
		else
			client_open(&pair.client, pair.rig.port, "");
		/* A fragment with nothing after it; then a frame whose payload does not come. */
		if (firsts[i] == TEXT)
			send_frame(TEXT, "begun");
		else
			assert_true(client_send_header(&pair.client, firsts[i], 5));
		client_expect_close(&pair.client, 1008);
		client_close(&pair.client);
		rig_await(&pair.rig, &pair.rig.closings, (unsigned)i + 1);
		assert_int_equal(pair.rig.last_code, 1008);
	}
}

static void pings_between_the_fragments_give_a_message_no_more_time(void **state)
{
	(void)state;

	pair.rig.options.message_timeout_ms = 200;
	open_client();
	send_frame(TEXT, "begun");
	while (!client_has_input(&pair.client, 20)) {
		assert_true(client_send_frame(&pair.client, FIN_PING, "", 0));
		client_read_frame(&pair.client, &pair.frame);
		if (pair.frame.first == FIN_CLOSE)
			break;
		assert_int_equal(pair.frame.first, FIN_PONG);
		assert_true(client_send_frame(&pair.client, MORE, ".", 1));
	}
	rig_await(&pair.rig, &pair.rig.closings, 1);
	assert_int_equal(pair.rig.last_code, 1008);
	client_close(&pair.client);
}

/* Each message ends in the piece in which the next one begins, so one is always under way. */
static void each_message_has_its_own_time(void **state)
{
	static const char beginning[] = "\x81\x82\0\0\0\0a", end_and_beginning[] = "b\x81\x82\0\0\0\0a";
	uint64_t end_ms;
	unsigned sent = 0;
	(void)state;

	pair.rig.options.message_timeout_ms = 2000;
	open_client();
	assert_true(client_send(&pair.client, beginning, sizeof(beginning) - 1));
	for (end_ms = clock_mono_ms() + 3000; clock_mono_ms() < end_ms; sent++) {
		assert_true(client_send(&pair.client, end_and_beginning, sizeof(end_and_beginning) - 1));
		client_expect_text(&pair.client, "ab");
	}
	rig_await(&pair.rig, &pair.rig.messages, sent);
	assert_int_equal(rig_count(&pair.rig, &pair.rig.closings), 0);
	client_close(&pair.client);
}

static void do_nothing(struct rig *r, void *arg)
{
	(void)r;
	(void)arg;
}

/* No reset reaches it, after which it could not read the close frame any more. */
static void a_peer_that_goes_on_sending_after_a_violation_can_read_why_it_was_closed(void **state)
{
	static const char piece[1024];
	(void)state;

	open_client();
	assert_true(client_send_header(&pair.client, FIN_TEXT, 1 << 20));
	assert_true(client_has_input(&pair.client, 10000));
	for (int i = 0; i < 20; i++) {
		rig_run(&pair.rig, do_nothing, NULL); /* the server's loop has turned */
		assert_true(client_send(&pair.client, piece, sizeof(piece)));
	}
	client_expect_close(&pair.client, 1009);
	client_close(&pair.client);
	rig_await(&pair.rig, &pair.rig.closings, 1);
}

static void a_peer_that_does_not_answer_our_close_is_dropped(void **state)
{
	struct farewell farewell = { 1001, "draining" };
	(void)state;

	pair.rig.options.close_timeout_ms = 100;
	open_client();
	rig_await(&pair.rig, &pair.rig.openings, 1);
	rig_run(&pair.rig, close_last, &farewell);
	client_expect_close(&pair.client, 1001);
	client_expect_end(&pair.client);
	rig_await(&pair.rig, &pair.rig.closings, 1);
	assert_int_equal(pair.rig.last_code, 1001);
	client_close(&pair.client);
}

static void the_peers_close_is_answered_with_its_code(void **state)
{
	(void)state;

	open_client();
	send_close(4321, "bye");
	client_expect_close(&pair.client, 4321);
	client_expect_end(&pair.client);
	rig_await(&pair.rig, &pair.rig.closings, 1);
	assert_int_equal(pair.rig.last_code, 4321);
	client_close(&pair.client);
}

static void a_close_without_a_code_is_answered_by_one(void **state)
{
	(void)state;

	open_client();
	send_frame(FIN_CLOSE, "");
	client_read_frame(&pair.client, &pair.frame);
	assert_int_equal(pair.frame.first, FIN_CLOSE);
	assert_int_equal(pair.frame.len, 0);
	client_expect_end(&pair.client);
	rig_await(&pair.rig, &pair.rig.closings, 1);
	assert_int_equal(pair.rig.last_code, 1005);
	client_close(&pair.client);
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

	rig_start(&pair.rig);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		client_open(&pair.client, pair.rig.port, "");
		assert_true(client_send_frame(&pair.client, FIN_CLOSE, cases[i].payload, cases[i].len));
		client_expect_close(&pair.client, cases[i].answer);
		client_expect_end(&pair.client);
		client_close(&pair.client);
	}
}

static void a_peer_that_hangs_up_is_told_as_1006(void **state)
{
	(void)state;

	open_client();
	send_frame(TEXT, "half a message");
	client_hang_up(&pair.client);
	client_expect_end(&pair.client);
	rig_await(&pair.rig, &pair.rig.closings, 1);
	assert_int_equal(pair.rig.last_code, 1006);
	client_close(&pair.client);
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
	rig_await(&pair.rig, &pair.rig.openings, 1);
	rig_run(&pair.rig, drop_last, NULL);
	client_expect_end(&pair.client);
	rig_await(&pair.rig, &pair.rig.closings, 1);
	assert_int_equal(pair.rig.last_code, 1006);
	client_close(&pair.client);
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

	pair.rig.message = obey;
	open_client();
	send_frame(FIN_TEXT, "close");
	send_frame(FIN_TEXT, "not seen any more");
	expect_closing(4003);
	assert_int_equal(pair.rig.messages, 1);
	client_open(&pair.client, pair.rig.port, "");
	send_frame(TEXT, "dr");
	send_frame(FIN_MORE, "op");
	client_expect_end(&pair.client);
	rig_await(&pair.rig, &pair.rig.closings, 2);
	client_close(&pair.client);
}

static void a_handler_may_close_the_server(void **state)
{
	(void)state;

	pair.rig.message = obey;
	open_client();
	send_frame(FIN_TEXT, "end");
	client_expect_end(&pair.client);
	rig_await(&pair.rig, &pair.rig.closings, 1);
	assert_int_equal(pair.rig.last_code, 1006);
	client_close(&pair.client);
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

	pair.rig.opened = close_at_once;
	open_client();
	client_expect_text(&pair.client, "hello");
	expect_closing(4002);
}

static void a_connection_may_be_dropped_in_its_opening(void **state)
{
	(void)state;

	pair.rig.opened = drop_at_once;
	rig_start(&pair.rig);
	client_connect(&pair.client, pair.rig.port, NULL, 0);
	assert_true(client_send_text(&pair.client, CLIENT_REQUEST("/ws") "\r\n"));
	rig_await(&pair.rig, &pair.rig.closings, 1);
	client_close(&pair.client);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, pair_start, pair_stop)
	const struct CMUnitTest tests[] = {
		T(our_close_is_the_last_frame_and_waits_for_the_answer),
		T(a_message_that_is_not_finished_in_time_closes_with_1008),
		T(pings_between_the_fragments_give_a_message_no_more_time),
		T(each_message_has_its_own_time),
		T(a_peer_that_goes_on_sending_after_a_violation_can_read_why_it_was_closed),
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
