/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "ws_pair.h"

static void messages_of_every_length_come_back(void **state)
{
	static const size_t lengths[] = { 0, 1, 125, 126, 127, 255, 256, 257, 1000 };
	char payload[1001];
	(void)state;

	open_client();
	memset(payload, 'a', sizeof(payload));
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		assert_true(client_send_frame(&pair.client, FIN_TEXT, payload, lengths[i]));
		client_read_frame(&pair.client, &pair.frame);
		assert_int_equal(pair.frame.first, FIN_TEXT);
		assert_int_equal(pair.frame.len, lengths[i]);
		assert_memory_equal(pair.frame.payload, payload, pair.frame.len);
	}
	client_close(&pair.client);
}

static void binary_and_text_are_told_apart(void **state)
{
	(void)state;

	open_client();
	assert_true(client_send_frame(&pair.client, FIN_BINARY, "\xff\x00\x80", 3));
	client_read_frame(&pair.client, &pair.frame);
	assert_int_equal(pair.frame.first, FIN_BINARY);
	assert_int_equal(pair.frame.len, 3);
	assert_memory_equal(pair.frame.payload, "\xff\x00\x80", 3);
	send_frame(BINARY, "\xfe");
	send_frame(FIN_MORE, "\xff");
	client_read_frame(&pair.client, &pair.frame);
	assert_int_equal(pair.frame.first, FIN_BINARY);
	assert_string_equal(pair.frame.payload, "\xfe\xff");
	client_close(&pair.client);
}

static void fragments_are_put_together_around_control_frames(void **state)
{
	(void)state;

	open_client();
	send_frame(TEXT, "one ");
	send_frame(FIN_PING, "p1");
	client_read_frame(&pair.client, &pair.frame);
	assert_int_equal(pair.frame.first, FIN_PONG);
	assert_string_equal(pair.frame.payload, "p1");
	send_frame(MORE, "");
	send_frame(MORE, "two ");
	send_frame(FIN_PONG, "unasked");
	send_frame(FIN_MORE, "three");
	client_expect_text(&pair.client, "one two three");
	send_frame(TEXT, "");
	send_frame(FIN_MORE, "after nothing");
	client_expect_text(&pair.client, "after nothing");
	send_frame(TEXT, "");
	send_frame(FIN_MORE, "");
	client_expect_text(&pair.client, "");
	assert_int_equal(pair.rig.pongs, 1);
	client_close(&pair.client);
}

static void a_message_that_comes_byte_by_byte_is_whole(void **state)
{
	static const char bytes[] = "\x81\x86\x01\x02\x03\x04s\x00lm\x00s"; /* each byte xor its mask */
	(void)state;

	open_client();
	for (size_t i = 0; i < sizeof(bytes) - 1; i++)
		assert_true(client_send(&pair.client, bytes + i, 1));
	client_expect_text(&pair.client, "r\x02oi\x01q");
	client_close(&pair.client);
}

static void a_message_over_the_limit_closes_with_1009(void **state)
{
	char payload[1001];
	(void)state;

	open_client();
	memset(payload, 'a', sizeof(payload));
	assert_true(client_send_frame(&pair.client, FIN_TEXT, payload, sizeof(payload)));
	expect_closing(1009);
	assert_int_equal(pair.rig.messages, 0);
}

static void fragments_over_the_limit_close_with_1009(void **state)
{
	char payload[500];
	(void)state;

	open_client();
	memset(payload, 'a', sizeof(payload));
	assert_true(client_send_frame(&pair.client, TEXT, payload, 500));
	assert_true(client_send_frame(&pair.client, MORE, payload, 500));
	assert_true(client_send_frame(&pair.client, FIN_MORE, payload, 1));
	expect_closing(1009);
	assert_int_equal(pair.rig.messages, 0);
}

static void a_huge_announced_length_is_refused_with_its_first_byte(void **state)
{
	static const uint64_t lengths[] = { 1001, 65536, 1ull << 31, 1ull << 32, 1ull << 40, (1ull << 63) - 1 };
	(void)state;

	rig_start(&pair.rig);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		client_open(&pair.client, pair.rig.port, "");
		assert_true(client_send_header(&pair.client, FIN_BINARY, lengths[i]));
		assert_true(client_send(&pair.client, "x", 1));
		client_expect_close(&pair.client, 1009);
		client_close(&pair.client);
	}
}

static void a_length_of_64_bits_closes_with_1002(void **state)
{
	(void)state;

	open_client();
	assert_true(client_send_header(&pair.client, FIN_BINARY, 1ull << 63));
	client_expect_close(&pair.client, 1002);
	client_expect_end(&pair.client);
	client_close(&pair.client);
	rig_await(&pair.rig, &pair.rig.closings, 1);
	assert_int_equal(pair.rig.last_code, 1002);
}

static void text_that_is_not_utf8_closes_with_1007(void **state)
{
	(void)state;

	open_client();
	send_frame(FIN_TEXT, "bad \xc3\x28");
	expect_closing(1007);
	assert_int_equal(pair.rig.messages, 0);
}

static void a_character_may_be_split_over_fragments_but_not_be_cut_off(void **state)
{
	(void)state;

	open_client();
	send_frame(TEXT, "\xf0\x9f");
	send_frame(MORE, "\x98");
	send_frame(FIN_MORE, "\x80");
	client_expect_text(&pair.client, "\xf0\x9f\x98\x80");
	send_frame(TEXT, "\xf0\x9f");
	send_frame(FIN_MORE, "\x98");
	expect_closing(1007);
	assert_int_equal(pair.rig.messages, 1);
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

	rig_start(&pair.rig);
	for (unsigned i = 0; i < sizeof(firsts); i++) {
		client_open(&pair.client, pair.rig.port, "");
		send_frame(firsts[i], "x");
		client_expect_close(&pair.client, 1002);
		client_close(&pair.client);
		rig_await(&pair.rig, &pair.rig.closings, i + 1);
		assert_int_equal(pair.rig.last_code, 1002);
	}
	assert_int_equal(pair.rig.messages, 0);
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
	assert_true(client_send_frame(&pair.client, FIN_PING, payload, sizeof(payload)));
	client_expect_close(&pair.client, 1002);
	client_close(&pair.client);
	rig_await(&pair.rig, &pair.rig.closings, 1);
	assert_int_equal(pair.rig.last_code, 1002);
}

static void an_unmasked_frame_closes_with_1002(void **state)
{
	(void)state;

	open_client();
	assert_true(client_send(&pair.client, "\x81\x05naked", 7));
	expect_closing(1002);
}

static void every_frame_is_counted(void **state)
{
	(void)state;

	open_client();
	send_frame(TEXT, "one ");
	send_frame(FIN_PING, "");
	send_frame(MORE, "");
	send_frame(FIN_MORE, "message");
	client_read_frame(&pair.client, &pair.frame);
	assert_int_equal(pair.frame.first, FIN_PONG);
	client_expect_text(&pair.client, "one message");
	send_frame(FIN_TEXT, "another");
	client_expect_text(&pair.client, "another");
	rig_await(&pair.rig, &pair.rig.messages, 2);
	assert_int_equal(pair.rig.frames, 5);
	client_close(&pair.client);
}

static void a_flood_of_empty_fragments_is_stopped(void **state)
{
	(void)state;

	pair.rig.max_frames = 1000;
	open_client();
	send_frame(TEXT, "");
	for (unsigned i = 0; i < 2000 && client_send_frame(&pair.client, MORE, "", 0); i++)
		continue;
	client_expect_close(&pair.client, 4006);
	client_close(&pair.client);
	rig_await(&pair.rig, &pair.rig.closings, 1);
	assert_in_range(pair.rig.frames, 1001, 2001);
	assert_int_equal(pair.rig.messages, 0);
}

static void a_ping_is_answered_and_counts_as_a_sign_of_life(void **state)
{
	char payload[125];
	(void)state;

	open_client();
	memset(payload, 'p', sizeof(payload));
	assert_true(client_send_frame(&pair.client, FIN_PING, payload, sizeof(payload)));
	client_read_frame(&pair.client, &pair.frame);
	assert_int_equal(pair.frame.first, FIN_PONG);
	assert_int_equal(pair.frame.len, sizeof(payload));
	assert_memory_equal(pair.frame.payload, payload, sizeof(payload));
	send_frame(FIN_PING, "");
	client_read_frame(&pair.client, &pair.frame);
	assert_int_equal(pair.frame.first, FIN_PONG);
	assert_int_equal(pair.frame.len, 0);
	rig_await(&pair.rig, &pair.rig.signs_of_life, 2);
	client_close(&pair.client);
}

static void ping(struct rig *r, void *arg)
{
	(void)arg;
	ws_ping(r->last, STR("are you there"));
}

static void the_answer_to_our_ping_is_told(void **state)
{
	(void)state;

	open_client();
	rig_await(&pair.rig, &pair.rig.openings, 1);
	rig_run(&pair.rig, ping, NULL);
	client_read_frame(&pair.client, &pair.frame);
	assert_int_equal(pair.frame.first, FIN_PING);
	assert_true(client_send_frame(&pair.client, FIN_PONG, pair.frame.payload, pair.frame.len));
	rig_await(&pair.rig, &pair.rig.pongs, 1);
	assert_string_equal(pair.rig.last_pong, pair.frame.payload);
	assert_int_equal(pair.rig.signs_of_life, 1);
	client_close(&pair.client);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, pair_start, pair_stop)
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
		T(an_unmasked_frame_closes_with_1002),
		T(every_frame_is_counted),
		T(a_flood_of_empty_fragments_is_stopped),
		T(a_ping_is_answered_and_counts_as_a_sign_of_life),
		T(the_answer_to_our_ping_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
