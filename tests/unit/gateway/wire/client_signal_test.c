#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/macros.h"
#include "gateway/wire/client_frame.h"
#include "gateway/wire/client_signal.h"
#include "proto/client.pb-c.h"
#include "proto/im.pb-c.h"

static err_t read_json(struct client_frame *frame, const char *text)
{
	return client_frame_read(frame, SUBPROTOCOL_JSON, str_from(text), "alice");
}

static err_t read_proto(struct client_frame *out, const Skein__V1__ClientFrame *frame)
{
	uint8_t bytes[16384];

	return client_frame_read(out, SUBPROTOCOL_PROTO, str_of(bytes, skein__v1__client_frame__pack(frame, bytes)), "alice");
}

static err_t read_proto_read(struct client_frame *out, const char *rid, const char *conversation_id, uint64_t seq)
{
	Skein__V1__ClientFrame frame = SKEIN__V1__CLIENT_FRAME__INIT;
	Skein__V1__Read read = SKEIN__V1__READ__INIT;

	read.rid = (char *)rid, read.conversation_id = (char *)conversation_id, read.seq = seq;
	frame.frame_case = SKEIN__V1__CLIENT_FRAME__FRAME_READ, frame.read = &read;
	return read_proto(out, &frame);
}

static err_t read_proto_watch(struct client_frame *out, const char *rid, const char *uid, size_t count)
{
	Skein__V1__ClientFrame frame = SKEIN__V1__CLIENT_FRAME__INIT;
	Skein__V1__Watch watch = SKEIN__V1__WATCH__INIT;
	char *uids[CLIENT_WATCH_MAX + 1];

	for (size_t i = 0; i < count; i++)
		uids[i] = (char *)uid;
	watch.rid = (char *)rid, watch.uids = uids, watch.n_uids = count;
	frame.frame_case = SKEIN__V1__CLIENT_FRAME__FRAME_WATCH, frame.watch = &watch;
	return read_proto(out, &frame);
}

static void is_read(struct client_frame *frame, const char *rid)
{
	Skein__V1__ReadRequest *request =
		skein__v1__read_request__unpack(NULL, frame->request.len, (const uint8_t *)frame->request.ptr);

	assert_non_null(request);
	assert_int_equal(frame->kind, CLIENT_READ);
	assert_string_equal(frame->rid, rid);
	assert_string_equal(request->uid, "alice");
	assert_string_equal(request->conversation_id, "u:alice:bob");
	assert_int_equal(request->seq, 7);
	skein__v1__read_request__free_unpacked(request, NULL);
	client_frame_release(frame);
}

static void a_read_becomes_a_request_in_the_users_name(void **state)
{
	struct client_frame frame;
	(void)state;

	assert_int_equal(read_json(&frame, "{\"type\":\"read\",\"conversation_id\":\"u:alice:bob\",\"seq\":7}"), OK);
	is_read(&frame, "");
	assert_int_equal(
		read_json(&frame, "{\"type\":\"read\",\"rid\":\"r\",\"conversation_id\":\"u:alice:bob\",\"seq\":7.0}"),
		OK);
	is_read(&frame, "r");
	assert_int_equal(read_proto_read(&frame, "", "u:alice:bob", 7), OK);
	is_read(&frame, "");
	assert_int_equal(read_proto_read(&frame, "r", "u:alice:bob", 7), OK);
	is_read(&frame, "r");
}

static void a_typing_names_its_conversation(void **state)
{
	Skein__V1__ClientFrame proto = SKEIN__V1__CLIENT_FRAME__INIT;
	Skein__V1__Typing typing = SKEIN__V1__TYPING__INIT;
	struct client_frame frame, other;
	(void)state;

	assert_int_equal(read_json(&frame, "{\"type\":\"typing\",\"conversation_id\":\"g:crew\"}"), OK);
	assert_int_equal(frame.kind, CLIENT_TYPING);
	typing.conversation_id = "g:crew";
	proto.frame_case = SKEIN__V1__CLIENT_FRAME__FRAME_TYPING, proto.typing = &typing;
	assert_int_equal(read_proto(&other, &proto), OK);
	assert_true(frame.conversation == other.conversation);
	assert_true(str_equal(buf_str(&frame.request), buf_str(&other.request)));
	client_frame_release(&frame);
	client_frame_release(&other);
	assert_int_equal(read_json(&other, "{\"type\":\"typing\",\"conversation_id\":\"g:crew2\"}"), OK);
	assert_true(frame.conversation != other.conversation);
	client_frame_release(&other);
}

static void a_watch_lists_its_users(void **state)
{
	static const char uids[] = "bob\0carol";
	struct client_frame frame;
	(void)state;

	assert_int_equal(read_json(&frame, "{\"type\":\"watch\",\"rid\":\"w\",\"uids\":[\"bob\",\"carol\"]}"), OK);
	assert_int_equal(frame.kind, CLIENT_WATCH);
	assert_int_equal(frame.uid_count, 2);
	assert_true(str_equal(buf_str(&frame.request), str_of(uids, sizeof(uids))));
	client_frame_release(&frame);
	assert_int_equal(read_json(&frame, "{\"type\":\"watch\",\"rid\":\"w\",\"uids\":[]}"), OK);
	assert_int_equal(frame.uid_count, 0);
	client_frame_release(&frame);
	assert_int_equal(read_proto_watch(&frame, "w", "bob", CLIENT_WATCH_MAX), OK);
	assert_int_equal(frame.uid_count, CLIENT_WATCH_MAX);
	client_frame_release(&frame);
}

static void expect_fault(struct client_frame *frame, err_t err, const char *names)
{
	assert_int_equal(err, ERR_INVALID_ARGUMENT);
	if (!strstr(frame->detail, names))
		fail_msg("\"%s\" does not name %s", frame->detail, names);
	client_frame_release(frame);
}

static void every_fault_in_protobuf_has_its_error(void **state)
{
	struct client_frame frame;
	(void)state;

	expect_fault(&frame, read_proto_read(&frame, "\n", "u:alice:bob", 1), "rid");
	expect_fault(&frame, read_proto_read(&frame, "", "", 1), "conversation_id");
	expect_fault(&frame, read_proto_read(&frame, "", "\xff", 1), "conversation_id");
	expect_fault(&frame, read_proto_read(&frame, "", "u:alice:bob", (uint64_t)INT64_MAX + 1), "seq");
	expect_fault(&frame, read_proto_watch(&frame, "", "bob", 1), "rid");
	expect_fault(&frame, read_proto_watch(&frame, "w", "a b", 1), "uids");
	expect_fault(&frame, read_proto_watch(&frame, "w", "bob", CLIENT_WATCH_MAX + 1), "uids");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_read_becomes_a_request_in_the_users_name),
		cmocka_unit_test(a_typing_names_its_conversation),
		cmocka_unit_test(a_watch_lists_its_users),
		cmocka_unit_test(every_fault_in_protobuf_has_its_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
