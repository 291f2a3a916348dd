/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "base/ws/ws_reader.h"

#define MAX_MESSAGE 1000
#define CLOSE_4001 "\x88\x02\x0f\xa1"

static const struct ws_reader_rules from_server = { .sender = WS_SERVER, .max_message = MAX_MESSAGE };
static const struct ws_reader_rules from_client = { .sender = WS_CLIENT, .max_message = MAX_MESSAGE };
static const unsigned char mask[WS_MASK_LEN] = { 0xa1, 0x5c, 0x00, 0xff };

/* The events of a stream of bytes as a text: "text(hi) ping(p) close(4001,bye) ". */
static void tell(struct buf *out, enum ws_event event, const struct ws_message *message)
{
	static const char *const names[] = { "nothing", "text", "binary", "ping", "pong", "close", "violation" };

	buf_printf(out, "%s(", names[event]);
	if (event == WS_GOT_CLOSE)
		buf_printf(out, "%u,", message->code);
	if (event == WS_GOT_VIOLATION)
		buf_printf(out, "%u,%s", message->code, message->violation);
	buf_append_str(out, message->payload);
	buf_append_text(out, ") ");
}

/* Feeds one piece, in memory of its own so that reading beyond it is noticed. */
static void feed(struct ws_reader *reader, const char *bytes, size_t len, struct buf *out)
{
	struct buf piece = { 0 };
	struct ws_message message;
	enum ws_event event;

	buf_append(&piece, bytes, len);
	char *at = piece.ptr;
	while ((event = ws_reader_take(reader, &at, &len, &message)) != WS_GOT_NOTHING)
		tell(out, event, &message);
	assert_int_equal(len, 0);
	assert_ptr_equal(at, piece.ptr + piece.len);
	buf_release(&piece);
}

/* The events are the same for one piece, for two pieces at every split point, and for pieces of every length. */
static void expect(const struct ws_reader_rules *rules, struct str bytes, const char *events)
{
	for (size_t split = 0; split <= bytes.len; split++) {
		struct ws_reader reader = { .rules = rules };
		struct buf out = { 0 };

		feed(&reader, bytes.ptr, split, &out);
		feed(&reader, bytes.ptr + split, bytes.len - split, &out);
		assert_string_equal(buf_text(&out), events);
		buf_release(&out);
		ws_reader_release(&reader);
	}
	for (size_t step = 1; step <= bytes.len; step++) {
		struct ws_reader reader = { .rules = rules };
		struct buf out = { 0 };

		for (size_t at = 0; at < bytes.len; at += step)
			feed(&reader, bytes.ptr + at, MIN(step, bytes.len - at), &out);
		assert_string_equal(buf_text(&out), events);
		buf_release(&out);
		ws_reader_release(&reader);
	}
}
#define EXPECT_OF_SERVER(bytes, events) expect(&from_server, STR(bytes), events)

/* A client's frame with any first byte. */
static void put_frame(struct buf *out, unsigned char first, const char *payload)
{
	size_t start = out->len;

	ws_put_masked_frame(out, WS_TEXT, str_from(payload), mask);
	out->ptr[start] = (char)first;
}

static void a_servers_frames_are_read_alike_however_they_are_cut(void **state)
{
	(void)state;
	EXPECT_OF_SERVER("\x81\x02hi\x82\x02\xff\xfe\x89\x01p\x8a\x00\x81\x00" CLOSE_4001,
	                 "text(hi) binary(\xff\xfe) ping(p) pong() text() close(4001,) ");
}

static void fragments_become_one_message_and_control_frames_may_stand_between_them(void **state)
{
	(void)state;
	EXPECT_OF_SERVER("\x01\x02he\x89\x03one\x00\x01l\x8a\x00\x00\x00\x80\x02lo\x81\x01x",
	                 "ping(one) pong() text(hello) text(x) ");
	EXPECT_OF_SERVER("\x02\x00\x00\x00\x80\x02ok", "binary(ok) ");
	EXPECT_OF_SERVER("\x01\x00\x89\x01p\x80\x00", "ping(p) text() ");
	EXPECT_OF_SERVER("\x01\x01"
	                 "a" CLOSE_4001,
	                 "close(4001,) ");
	/* A character may be cut by fragments: a text is judged when it is whole. */
	EXPECT_OF_SERVER("\x01\x01\xc3\x80\x01\xa9", "text(\xc3\xa9) ");
}

static void a_clients_frames_are_unmasked_however_they_are_cut(void **state)
{
	struct buf bytes = { 0 };

	(void)state;
	put_frame(&bytes, 0x81, "the first text");
	put_frame(&bytes, 0x01, "begin ");
	put_frame(&bytes, 0x89, "a ping");
	put_frame(&bytes, 0x00, "and ");
	put_frame(&bytes, 0x80, "end");
	put_frame(&bytes, 0x82, "");
	ws_put_masked_close(&bytes, 4005, "no ack", mask);
	expect(&from_client, buf_str(&bytes),
	       "text(the first text) ping(a ping) text(begin and end) binary() close(4005,no ack) ");
	buf_release(&bytes);
}

static void each_form_of_a_length_is_read_and_a_longer_one_than_needed_refused(void **state)
{
	static const size_t lengths[] = { 0, 1, 125, 126, 127, 128, 255, 256, 999, 1000 };
	static const char *const too_long[] = { "\x81\x7e\x00\x00", "\x81\x7e\x00\x7d",
		                                "\x82\x7f\x00\x00\x00\x00\x00\x00\x00\x01",
		                                "\x82\x7f\x00\x00\x00\x00\x00\x00\xff\xff",
		                                "\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x00" };
	static const size_t too_long_sizes[] = { 4, 4, 10, 10, 10 };
	char payload[MAX_MESSAGE + 1];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		struct buf bytes = { 0 }, events = { 0 };

		memset(payload, 'x', lengths[i]);
		payload[lengths[i]] = '\0';
		put_frame(&bytes, 0x82, payload);
		buf_printf(&events, "binary(%s) ", payload);
		expect(&from_client, buf_str(&bytes), buf_text(&events));
		buf_release(&bytes);
		buf_release(&events);
	}
	for (size_t i = 0; i < ARRAY_LEN(too_long); i++)
		expect(&from_server, str_of(too_long[i], too_long_sizes[i]),
		       "violation(1002,a length is not in its shortest form) ");
}

static void a_client_must_mask_and_a_server_must_not(void **state)
{
	(void)state;
	expect(&from_client, STR("\x81\x02hi"), "violation(1002,a client's frame is not masked) ");
	expect(&from_client, STR("\x88\x00"), "violation(1002,a client's frame is not masked) ");
	EXPECT_OF_SERVER("\x81\x80mask", "violation(1002,a server's frame is masked) ");
	EXPECT_OF_SERVER("\x89\x80mask", "violation(1002,a server's frame is masked) ");
}

static void a_forbidden_frame_is_refused_and_nothing_is_read_after_it(void **state)
{
#define AND_MORE "\x81\x02hi" CLOSE_4001
	(void)state;
	EXPECT_OF_SERVER("\x81\x01"
	                 "a\xc1\x00" AND_MORE,
	                 "text(a) violation(1002,a reserved bit is set) ");
	EXPECT_OF_SERVER("\xa1\x00" AND_MORE, "violation(1002,a reserved bit is set) ");
	EXPECT_OF_SERVER("\x91\x00" AND_MORE, "violation(1002,a reserved bit is set) ");
	EXPECT_OF_SERVER("\x83\x00" AND_MORE, "violation(1002,unknown opcode) ");
	EXPECT_OF_SERVER("\x87\x00" AND_MORE, "violation(1002,unknown opcode) ");
	EXPECT_OF_SERVER("\x8b\x00" AND_MORE, "violation(1002,unknown opcode) ");
	EXPECT_OF_SERVER("\x8f\x00" AND_MORE, "violation(1002,unknown opcode) ");
	EXPECT_OF_SERVER("\x80\x00" AND_MORE, "violation(1002,a continuation without a message) ");
	EXPECT_OF_SERVER("\x81\x01x\x00\x00" AND_MORE, "text(x) violation(1002,a continuation without a message) ");
	EXPECT_OF_SERVER("\x01\x01x\x81\x01y" AND_MORE, "violation(1002,a message inside another one) ");
	EXPECT_OF_SERVER("\x09\x00" AND_MORE, "violation(1002,a control frame is fragmented) ");
	EXPECT_OF_SERVER("\x08\x00" AND_MORE, "violation(1002,a control frame is fragmented) ");
	EXPECT_OF_SERVER("\x89\x7e\x00\x7e" AND_MORE, "violation(1002,a control frame is longer than 125 bytes) ");
	EXPECT_OF_SERVER("\x81\x02\xff\xfe" AND_MORE, "violation(1007,a text is not UTF-8) ");
	EXPECT_OF_SERVER("\x01\x01\xc3\x80\x00" AND_MORE, "violation(1007,a text is not UTF-8) ");
}

static void a_close_frame_ends_the_stream_and_is_checked(void **state)
{
	static const uint16_t bad[] = { 0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535 };
	static const uint16_t good[] = { 1000, 1001, 1003, 1007, 1009, 1014, 3000, 4001, 4999 };
	char events[64];

	(void)state;
	EXPECT_OF_SERVER("\x88\x00\x81\x02hi", "close(1005,) ");
	EXPECT_OF_SERVER("\x88\x08\x03\xe9moving\x81\x02hi", "close(1001,moving) ");
	EXPECT_OF_SERVER("\x88\x01\x03", "violation(1002,a close code that must not be sent) ");
	EXPECT_OF_SERVER("\x88\x03\x03\xe8\xff", "violation(1007,a close reason is not UTF-8) ");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		const char frame[] = { '\x88', 2, (char)(bad[i] >> 8), (char)bad[i] };
		expect(&from_server, str_of(frame, sizeof(frame)), "violation(1002,a close code that must not be sent) ");
	}
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		const char frame[] = { '\x88', 2, (char)(good[i] >> 8), (char)good[i] };
		snprintf(events, sizeof(events), "close(%u,) ", good[i]);
		expect(&from_server, str_of(frame, sizeof(frame)), events);
	}
}

/* The number of the byte at which the input is refused, from 1; 0 if it is not refused. */
static size_t refused_at(const struct ws_reader_rules *rules, struct str bytes)
{
	struct ws_reader reader = { .rules = rules };
	struct buf out = { 0 };
	size_t at = 0;

	while (at < bytes.len && !out.len)
		feed(&reader, bytes.ptr + at++, 1, &out);
	assert_true(out.len == 0 || str_starts_with(buf_str(&out), STR("violation(")));
	at = out.len ? at : 0;
	buf_release(&out);
	ws_reader_release(&reader);
	return at;
}

static void a_violation_is_refused_at_the_byte_that_shows_it(void **state)
{
	(void)state;
	assert_int_equal(refused_at(&from_server, STR("\xc1\x00")), 2);
	assert_int_equal(refused_at(&from_server, STR("\x89\x7e\x01\x00")), 2);
	assert_int_equal(refused_at(&from_client, STR("\x81\x00")), 2);
	assert_int_equal(refused_at(&from_server, STR("\x82\x7e\x03\xe9")), 4); /* 1,001 bytes */
	assert_int_equal(refused_at(&from_server, STR("\x82\x7e\x03\xe8")), 0);
	assert_int_equal(refused_at(&from_client, STR("\x82\xfe\x03\xe9mask")), 4); /* before the mask */
	assert_int_equal(refused_at(&from_server, STR("\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff")), 10);
}

static void a_message_is_bounded_over_all_its_fragments(void **state)
{
	struct ws_reader reader = { .rules = &from_server };
	static char bytes[600];
	struct buf out = { 0 };

	(void)state;
	feed(&reader, "\x02\x7e\x01\xf4", 4, &out); /* 500 */
	feed(&reader, bytes, 500, &out);
	assert_true(ws_reader_is_inside_message(&reader));
	feed(&reader, "\x89\x04ping", 6, &out); /* does not count */
	feed(&reader, "\x00\x7e\x01\xf4", 4, &out);
	feed(&reader, bytes, 500, &out);
	assert_string_equal(buf_text(&out), "ping(ping) ");
	feed(&reader, "\x80\x01", 2, &out);
	assert_string_equal(buf_text(&out), "ping(ping) violation(1009,message too large) ");
	ws_reader_release(&reader);
	buf_release(&out);
}

static void memory_follows_the_bytes_received_and_none_is_held_at_rest(void **state)
{
	struct ws_reader reader = { .rules = &from_server };
	struct buf out = { 0 };
	char bytes[] = "\x81\x05whole";
	char *at = bytes;
	size_t len = 7;
	struct ws_message message;

	(void)state;
	assert_int_equal(ws_reader_take(&reader, &at, &len, &message), WS_GOT_TEXT);
	assert_ptr_equal(message.payload.ptr, bytes + 2); /* no copy */
	assert_null(reader.kept.ptr);
	feed(&reader, "\x82\x7e\x03\xe8"
	              "ten bytes.",
	     14, &out); /* 1,000 announced */
	assert_in_range(reader.kept.cap, 10, 128);
	for (int i = 0; i < 99; i++)
		feed(&reader, "ten bytes.", 10, &out);
	assert_null(reader.kept.ptr);
	feed(&reader, "\x89\x04pi", 4, &out);
	assert_non_null(reader.kept.ptr);
	feed(&reader, "ng", 2, &out);
	assert_null(reader.kept.ptr);
	assert_false(ws_reader_is_inside_message(&reader));
	buf_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_servers_frames_are_read_alike_however_they_are_cut),
		cmocka_unit_test(fragments_become_one_message_and_control_frames_may_stand_between_them),
		cmocka_unit_test(a_clients_frames_are_unmasked_however_they_are_cut),
		cmocka_unit_test(each_form_of_a_length_is_read_and_a_longer_one_than_needed_refused),
		cmocka_unit_test(a_client_must_mask_and_a_server_must_not),
		cmocka_unit_test(a_forbidden_frame_is_refused_and_nothing_is_read_after_it),
		cmocka_unit_test(a_close_frame_ends_the_stream_and_is_checked),
		cmocka_unit_test(a_violation_is_refused_at_the_byte_that_shows_it),
		cmocka_unit_test(a_message_is_bounded_over_all_its_fragments),
		cmocka_unit_test(memory_follows_the_bytes_received_and_none_is_held_at_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
