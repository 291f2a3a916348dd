/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_header_takes_the_shortest_form_of_its_length),
		cmocka_unit_test(a_close_frame_carries_code_and_reason),
		cmocka_unit_test(a_close_frame_without_a_code_is_empty),
		cmocka_unit_test(a_long_reason_is_cut_to_what_a_control_frame_holds),
		cmocka_unit_test(a_reason_is_not_cut_inside_a_character),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
