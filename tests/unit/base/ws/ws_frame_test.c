/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/macros.h"
#include "base/ws/ws_frame.h"

static void expect_header(enum ws_opcode opcode, uint64_t len, const void *bytes, size_t header_len)
{
	unsigned char out[WS_HEADER_MAX];

	assert_int_equal(ws_frame_header(out, opcode, len), header_len);
	assert_memory_equal(out, bytes, header_len);
}

static void a_header_takes_the_shortest_form_of_its_length(void **state)
{
	(void)state;

	expect_header(WS_TEXT, 0, "\x81\x00", 2);
	expect_header(WS_TEXT, 125, "\x81\x7d", 2);
	expect_header(WS_BINARY, 126, "\x82\x7e\x00\x7e", 4);
	expect_header(WS_BINARY, 65535, "\x82\x7e\xff\xff", 4);
	expect_header(WS_BINARY, 65536, "\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00", 10);
	expect_header(WS_TEXT, 0x7edcba9876543210, "\x81\x7f\x7e\xdc\xba\x98\x76\x54\x32\x10", 10);
	expect_header(WS_PING, 4, "\x89\x04", 2);
	expect_header(WS_PONG, 4, "\x8a\x04", 2);
}

static void a_close_frame_carries_code_and_reason(void **state)
{
	unsigned char out[WS_CLOSE_FRAME_MAX];
	(void)state;

	assert_int_equal(ws_close_frame(out, 1001, "moving"), 10);
	assert_memory_equal(out, "\x88\x08\x03\xe9moving", 10);
	assert_int_equal(ws_close_frame(out, 4001, NULL), 4);
	assert_memory_equal(out, "\x88\x02\x0f\xa1", 4);
}

static void a_close_frame_without_a_code_is_empty(void **state)
{
	unsigned char out[WS_CLOSE_FRAME_MAX];
	(void)state;

	assert_int_equal(ws_close_frame(out, WS_NO_CODE, "said nothing"), 2);
	assert_memory_equal(out, "\x88\x00", 2);
}

static void a_long_reason_is_cut_to_what_a_control_frame_holds(void **state)
{
	unsigned char out[WS_CLOSE_FRAME_MAX + 1];
	char reason[200];
	(void)state;

	memset(reason, 'x', sizeof(reason));
	reason[123] = '\0';
	out[WS_CLOSE_FRAME_MAX] = 0x55;
	assert_int_equal(ws_close_frame(out, 1000, reason), 127);
	assert_int_equal(out[1], 125);
	assert_int_equal(out[WS_CLOSE_FRAME_MAX], 0x55);

	reason[123] = 'y';
	reason[199] = '\0';
	assert_int_equal(ws_close_frame(out, 1000, reason), 127);
	assert_int_equal(out[126], 'x');
	assert_int_equal(out[WS_CLOSE_FRAME_MAX], 0x55);
}

static void a_reason_is_not_cut_inside_a_character(void **state)
{
	unsigned char out[WS_CLOSE_FRAME_MAX];
	char reason[200];
	(void)state;

	memset(reason, 'x', sizeof(reason));
	reason[199] = '\0';
	memcpy(reason + 122, "\xc3\xa9", 2); /* two bytes, of which one would fit */
	assert_int_equal(ws_close_frame(out, 1000, reason), 126);
	memcpy(reason + 120, "\xf0\x9f\x98\x80", 4);
	assert_int_equal(ws_close_frame(out, 1000, reason), 124);
}

static void a_clients_frame_is_the_servers_with_the_mask_behind_its_header(void **state)
{
	static const unsigned char mask[WS_MASK_LEN] = { 1, 2, 4, 8 };
	static const uint64_t lengths[] = { 0, 125, 126, 65535, 65536 };
	unsigned char plain[WS_HEADER_MAX], masked[WS_MASKED_HEADER_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		size_t len = ws_frame_header(plain, WS_BINARY, lengths[i]);

		assert_int_equal(ws_masked_frame_header(masked, WS_BINARY, lengths[i], mask), len + 4);
		assert_int_equal(masked[1], plain[1] | 0x80);
		assert_memory_equal(masked + 2, plain + 2, len - 2);
		assert_memory_equal(masked + len, mask, sizeof(mask));
	}
}

static void a_mask_goes_on_where_the_last_piece_ended(void **state)
{
	static const unsigned char mask[WS_MASK_LEN] = { 0x11, 0x22, 0x33, 0x44 };
	char whole[40], pieces[40];

	(void)state;
	for (size_t i = 0; i < sizeof(whole); i++)
		whole[i] = (char)(i ^ mask[i % 4]);
	for (size_t split = 0; split <= sizeof(pieces); split++) {
		for (size_t i = 0; i < sizeof(pieces); i++)
			pieces[i] = (char)i;
		ws_mask(pieces, split, mask, 0);
		ws_mask(pieces + split, sizeof(pieces) - split, mask, split);
		assert_memory_equal(pieces, whole, sizeof(whole));
	}
	ws_mask(pieces, sizeof(pieces), mask, 0);
	assert_int_equal(pieces[39], 39);
}

static void a_clients_frames_are_appended_whole(void **state)
{
	static const unsigned char mask[WS_MASK_LEN] = { 0x20, 0, 0, 0 };
	struct buf out = { 0 };

	(void)state;
	ws_put_masked_frame(&out, WS_TEXT, STR("ABCDE"), mask);
	assert_int_equal(out.len, 11);
	assert_memory_equal(out.ptr, "\x81\x85\x20\0\0\0aBCDe", 11);
	buf_clear(&out);
	ws_put_masked_close(&out, 1000, "bye", mask);
	assert_int_equal(out.len, 11);
	assert_memory_equal(out.ptr, "\x88\x85\x20\0\0\0\x23\xe8"
	                             "byE",
	                    11);
	buf_clear(&out);
	ws_put_masked_close(&out, WS_NO_CODE, "said nothing", mask);
	assert_int_equal(out.len, 6);
	buf_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_header_takes_the_shortest_form_of_its_length),
		cmocka_unit_test(a_close_frame_carries_code_and_reason),
		cmocka_unit_test(a_close_frame_without_a_code_is_empty),
		cmocka_unit_test(a_long_reason_is_cut_to_what_a_control_frame_holds),
		cmocka_unit_test(a_reason_is_not_cut_inside_a_character),
		cmocka_unit_test(a_clients_frame_is_the_servers_with_the_mask_behind_its_header),
		cmocka_unit_test(a_mask_goes_on_where_the_last_piece_ended),
		cmocka_unit_test(a_clients_frames_are_appended_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
