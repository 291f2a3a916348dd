#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/mem.h"
#include "base/text/json.h"
#include "gateway/wire/event_frame.h"

static char wire[SHARED_FRAME_MAX];

static struct shared_frame *make(const char *kind, const char *body)
{
	Skein__V1__Event event = SKEIN__V1__EVENT__INIT;

	event.kind = (char *)kind;
	event.body = (char *)body;
	return event_frame_new(&event);
}

/* The payload: the frames of these tests have a header of two or four bytes. */
static struct str write_frame(const struct shared_frame *frame, enum subprotocol subprotocol)
{
	size_t len = event_frame_write(wire, frame, subprotocol);
	size_t header = (wire[1] & 0x7f) == 126 ? 4 : 2;

	assert_true(len <= event_frame_max(frame, subprotocol));
	assert_int_equal((unsigned char)wire[0], 0x80 | subprotocol_opcode(subprotocol));
	return str_of(wire + header, len - header);
}

static void expect_json(const char *kind, const char *body, const char *expected)
{
	struct shared_frame *frame = make(kind, body);

	assert_non_null(frame);
	struct str payload = write_frame(frame, SUBPROTOCOL_JSON);
	if (!str_equal(payload, str_from(expected)))
		fail_msg("%.*s instead of %s", STR_ARG(payload), expected);
	shared_frame_unref(frame);
}

static void the_json_frame_has_the_members_of_the_body_after_the_kind(void **state)
{
	(void)state;
	expect_json("read", "{\"conversation_id\":\"u:a:b\",\"uid\":\"a\",\"seq\":3}",
	            "{\"type\":\"event\",\"kind\":\"read\",\"conversation_id\":\"u:a:b\",\"uid\":\"a\",\"seq\":3}");
	expect_json("typing", " { \"uid\" : \"a\" } ", "{\"type\":\"event\",\"kind\":\"typing\",\"uid\":\"a\"}");
	expect_json("ping", "{}", "{\"type\":\"event\",\"kind\":\"ping\"}");
	expect_json("ping", "", "{\"type\":\"event\",\"kind\":\"ping\"}");
}

static void the_protobuf_frame_reads_back(void **state)
{
	struct shared_frame *frame = make("read", "{\"seq\":3}");
	(void)state;

	struct str payload = write_frame(frame, SUBPROTOCOL_PROTO);
	Skein__V1__ServerFrame *read =
		skein__v1__server_frame__unpack(NULL, payload.len, (const uint8_t *)payload.ptr);
	assert_non_null(read);
	assert_int_equal(read->frame_case, SKEIN__V1__SERVER_FRAME__FRAME_EVENT);
	assert_string_equal(read->event->kind, "read");
	assert_string_equal(read->event->body, "{\"seq\":3}");
	assert_string_equal(read->offset, "");
	skein__v1__server_frame__free_unpacked(read, NULL);
	shared_frame_unref(frame);
}

static void expect_refused(const char *kind, const char *body, const char *why)
{
	if (make(kind, body))
		fail_msg("encoded although %s", why);
}

static void an_invalid_event_is_refused(void **state)
{
	char *long_body = mem_zalloc(EVENT_MAX + 1);
	(void)state;

	expect_refused("", "{}", "it has no kind");
	expect_refused("a b", "{}", "its kind is no name");
	expect_refused("k\",\"x\":\"", "{}", "its kind would end the string");
	expect_refused("read", "[1]", "its body is no object");
	expect_refused("read", "{\"a\":1}}", "its body does not end where it should");
	expect_refused("read", "{\"a\":\"\xff\"}", "its body is not UTF-8");
	expect_refused("read", "{\"type\":\"message\"}", "its body would say what type the frame has");
	expect_refused("read", "{\"kind\":\"typing\"}", "its body would say what kind it is");
	memset(long_body, ' ', EVENT_MAX);
	memcpy(long_body, "{}", 2);
	expect_refused("read", long_body, "it is too large");
	mem_free(long_body);
}

/* Each control character of the body takes six bytes in JSON. */
static void the_largest_event_makes_a_frame_that_a_client_takes(void **state)
{
	struct buf body = { 0 };
	(void)state;

	buf_append_text(&body, "{\"a\":\"");
	while (body.len < EVENT_MAX - 40)
		buf_append_text(&body, "\xc2\x80");
	buf_append_text(&body, "\"}");
	buf_append_char(&body, '\0');
	struct shared_frame *frame = make("read", body.ptr);
	assert_non_null(frame);
	assert_true(event_frame_max(frame, SUBPROTOCOL_JSON) <= SHARED_FRAME_MAX);
	assert_true(event_frame_max(frame, SUBPROTOCOL_PROTO) <= SHARED_FRAME_MAX);
	shared_frame_unref(frame);
	buf_release(&body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_json_frame_has_the_members_of_the_body_after_the_kind),
		cmocka_unit_test(the_protobuf_frame_reads_back),
		cmocka_unit_test(an_invalid_event_is_refused),
		cmocka_unit_test(the_largest_event_makes_a_frame_that_a_client_takes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
