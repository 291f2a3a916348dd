#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "libclient/ws.h"

/* The example of RFC 6455, section 1.3. */
#define KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

static struct ws_reader reader;

static int tear_down(void **state)
{
	(void)state;
	ws_reader_release(&reader);
	reader = (struct ws_reader){ 0 };
	return 0;
}

static bool take_answer(const char *text, struct ws_answer *answer, struct str *rest)
{
	*rest = str_from(text);
	return ws_take_answer(rest, KEY, answer);
}

static void an_upgrade_counts_only_with_the_answer_to_its_own_key(void **state)
{
	struct ws_answer answer;
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

static void a_refusal_tells_its_status_and_when_to_come_back(void **state)
{
	struct ws_answer answer;
	struct str rest;

	(void)state;
	assert_true(take_answer("HTTP/1.1 503 Busy\r\nRetry-After: 7\r\n\r\n", &answer, &rest));
	assert_int_equal(answer.status, 503);
	assert_int_equal(answer.retry_after_ms, 7000);
	assert_true(take_answer("HTTP/1.1 401 No\r\nRetry-After: Fri, 31 Dec 1999\r\n\r\n", &answer, &rest));
	assert_int_equal(answer.status, 401);
	assert_int_equal(answer.retry_after_ms, 0);
}

static void what_is_no_answer_has_status_0(void **state)
{
	static const char *const texts[] = { "SSH-2.0\r\n\r\n", "\r\n\r\n", "HTTP/1.1\r\n\r\n", "HTTP/1.1 abc\r\n\r\n",
		                             ("HTTP/1.1 20"
		                              "\r\n\r\n") };
	struct ws_answer answer;
	struct str rest;
	struct buf endless = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		assert_true(take_answer(texts[i], &answer, &rest));
		assert_int_equal(answer.status, 0);
	}
	while (endless.len <= WS_MAX_HEAD)
		buf_append_text(&endless, "X: y\r\n");
	assert_true(take_answer(buf_text(&endless), &answer, &rest));
	assert_int_equal(answer.status, 0);
	buf_release(&endless);
}

/* What the server's side would read. */
static void unmask(struct buf *frame, size_t head)
{
	for (size_t i = head + 4; i < frame->len; i++)
		frame->ptr[i] ^= frame->ptr[head + (i - head - 4) % 4];
}

static void what_goes_out_is_final_and_masked_under_each_form_of_length(void **state)
{
	static const struct {
		size_t len, head;
	} cases[] = { { 0, 2 }, { 125, 2 }, { 126, 4 }, { 65535, 4 }, { 65536, 10 } };
	static char text[65536];

	(void)state;
	memset(text, 'x', sizeof(text));
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf out = { 0 };

		ws_put_frame(&out, WS_TEXT, str_of(text, cases[i].len));
		assert_int_equal(out.len, cases[i].head + 4 + cases[i].len);
		assert_int_equal((unsigned char)out.ptr[0], 0x81);
		assert_true(out.ptr[1] & 0x80);
		unmask(&out, cases[i].head);
		assert_memory_equal(out.ptr + cases[i].head + 4, text, cases[i].len);
		buf_release(&out);
	}
}

static enum ws_event read_bytes(const char *bytes, size_t len, struct str *payload, unsigned *code)
{
	struct str in = str_of(bytes, len);

	return ws_read(&reader, &in, payload, code);
}
#define READ(literal) read_bytes(literal, sizeof(literal) - 1, &payload, &code)

static void messages_come_whole_however_they_are_cut(void **state)
{
	static const char bytes[] = "\x81\x02hi\x01\x02he\x89\x01p\x00\x01l\x80\x02lo\x81\x7e\x00\x80"
				    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
				    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\x88\x02\x0f\xa1";
	static const enum ws_event events[] = { WS_GOT_TEXT, WS_GOT_PING, WS_GOT_TEXT, WS_GOT_TEXT, WS_GOT_CLOSE };
	static const size_t lengths[] = { 2, 1, 5, 128, 2 };

	(void)state;
	for (size_t step = 1; step < sizeof(bytes); step++) { /* `step` bytes arrive at a time */
		struct str in = str_of(bytes, 0), payload;
		unsigned code = 0;
		size_t n = 0;

		while (n < ARRAY_LEN(events)) {
			enum ws_event event = ws_read(&reader, &in, &payload, &code);

			if (event == WS_GOT_NOTHING) {
				assert_true(in.ptr + in.len < bytes + sizeof(bytes) - 1);
				in.len = MIN(in.len + step, (size_t)(bytes + sizeof(bytes) - 1 - in.ptr));
				continue;
			}
			assert_int_equal(event, events[n]);
			assert_int_equal(payload.len, lengths[n]);
			n++;
		}
		assert_int_equal(code, 4001);
	}
}

static void what_a_server_may_not_send_is_nonsense(void **state)
{
	struct str payload;
	unsigned code;

	(void)state;
	assert_int_equal(READ("\x81\x80mask"), WS_GOT_NONSENSE); /* masked */
	assert_int_equal(READ("\xc1\x00"), WS_GOT_NONSENSE); /* an extension */
	assert_int_equal(READ("\x82\x01x"), WS_GOT_NONSENSE); /* binary */
	assert_int_equal(READ("\x83\x00"), WS_GOT_NONSENSE); /* reserved */
	assert_int_equal(READ("\x80\x00"), WS_GOT_NONSENSE); /* goes on with nothing */
	assert_int_equal(READ("\x09\x00"), WS_GOT_NONSENSE); /* a ping in pieces */
	assert_int_equal(READ("\x89\x7e\x00\x7e"), WS_GOT_NONSENSE); /* a ping that long */
	assert_int_equal(READ("\x81\x02\xff\xfe"), WS_GOT_NONSENSE); /* not UTF-8 */
	assert_int_equal(READ("\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff"), WS_GOT_NONSENSE); /* that much */
	assert_int_equal(READ("\x01\x01x\x81\x01y"), WS_GOT_NONSENSE); /* a message in a message */
	assert_int_equal(READ("\x88\x00"), WS_GOT_CLOSE);
	assert_int_equal(code, 1005);
}

static void fragments_are_bounded_together(void **state)
{
	struct buf bytes = { 0 };
	struct str payload, in;
	unsigned code;
	enum ws_event event;

	(void)state;
	buf_append(&bytes, "\x01\x7f\x00\x00\x00\x00\x00\x04\x00\x00", 10); /* 256 KiB */
	memset(buf_reserve(&bytes, 262144), 'x', 262144);
	bytes.len += 262144;
	in = buf_str(&bytes);
	assert_int_equal(ws_read(&reader, &in, &payload, &code), WS_GOT_NOTHING);
	bytes.ptr[0] = 0;
	for (int i = 0; i < 2; i++) {
		in = buf_str(&bytes);
		event = ws_read(&reader, &in, &payload, &code);
	}
	assert_int_equal(event, WS_GOT_NONSENSE);
	buf_release(&bytes);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_teardown(name, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(an_upgrade_counts_only_with_the_answer_to_its_own_key),
		CASE(a_refusal_tells_its_status_and_when_to_come_back),
		CASE(what_is_no_answer_has_status_0),
		CASE(what_goes_out_is_final_and_masked_under_each_form_of_length),
		CASE(messages_come_whole_however_they_are_cut),
		CASE(what_a_server_may_not_send_is_nonsense),
		CASE(fragments_are_bounded_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
