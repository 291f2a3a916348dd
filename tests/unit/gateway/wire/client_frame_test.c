#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "base/mem.h"
#include "gateway/wire/client_frame.h"
#include "proto/im.pb-c.h"

#define X64 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define SEND(fields) "{\"type\":\"send\",\"rid\":\"r1\"," fields "}"
#define MESSAGE(fields) SEND("\"message\":{" fields "}")
#define GOOD_TO "\"to\":{\"user\":\"bob\"}"
#define GOOD "\"client_msg_id\":\"k1\"," GOOD_TO ",\"type\":\"text\",\"body\":{\"text\":\"hi\"}"

struct fault {
	const char *frame;
	err_t err;
	const char *names; /* stands in the detail */
	const char *rid; /* in the error frame */
};

static const struct fault faults[] = {
	/* not a frame */
	{ "", ERR_PROTOCOL, "", "" },
	{ " ", ERR_PROTOCOL, "", "" },
	{ "hello", ERR_PROTOCOL, "not JSON", "" },
	{ "{", ERR_PROTOCOL, "too early", "" },
	{ "[]", ERR_PROTOCOL, "object", "" },
	{ "null", ERR_PROTOCOL, "object", "" },
	{ "\"ping\"", ERR_PROTOCOL, "object", "" },
	{ "{}{}", ERR_PROTOCOL, "", "" },
	{ "{\"type\":\"ping\"}x", ERR_PROTOCOL, "", "" },
	{ "{\"type\":\"ping\",\"x\":\"\xff\"}", ERR_PROTOCOL, "UTF-8", "" },
	{ "{\"x\":1e999}", ERR_PROTOCOL, "x", "" },
	{ "{\"x\":1e999,", ERR_PROTOCOL, "x", "" },
	{ "{\"type\":\"ping\",\"x\":[1e999,1e999,1e999,1e999,1e999]}", ERR_PROTOCOL, "range", "" },
	/* a known type with a number out of range */
	{ "{\"type\":\"ping\",\"x\":1e999}", ERR_INVALID_ARGUMENT, "x", "" },
	{ "{\"y\":-1.5e999 , \"x\":[1e999],\"rid\":\"r1\",\"type\":\"send\"}", ERR_INVALID_ARGUMENT, "y", "r1" },
	/* no type, or an unknown one */
	{ "{}", ERR_PROTOCOL, "type", "" },
	{ "{\"type\":null}", ERR_PROTOCOL, "type", "" },
	{ "{\"type\":1}", ERR_PROTOCOL, "type", "" },
	{ "{\"type\":\"\"}", ERR_PROTOCOL, "unknown", "" },
	{ "{\"type\":\"Ping\"}", ERR_PROTOCOL, "unknown", "" },
	{ "{\"type\":\"message\"}", ERR_PROTOCOL, "unknown", "" },
	{ "{\"rid\":\"r1\"}", ERR_PROTOCOL, "type", "" },
	/* JSON of a known type that the reader refuses */
	{ "{\"type\":\"ping\",\"type\":\"ping\"}", ERR_INVALID_ARGUMENT, "type is given twice", "" },
	{ "{\"type\":\"send\",\"rid\":\"r1\",\"x\":1,\"x\":2}", ERR_INVALID_ARGUMENT, "x is given twice", "r1" },
	{ "{\"type\":\"ping\",\"x\":\"\\u0000\"}", ERR_INVALID_ARGUMENT, "NUL", "" },
	{ "{\"type\":\"ping\",\"x\":\"\\ud800\"}", ERR_INVALID_ARGUMENT, "", "" },
	{ MESSAGE("\"body\":{\"text\":\"hi \\ud83d\"}"), ERR_INVALID_ARGUMENT, "", "r1" },
	{ "{\"type\":\"send\",\"\\ud83d\":[1e999,\"\\ude00\"],\"rid\":\"r1\"}", ERR_INVALID_ARGUMENT, "", "r1" },
	{ "{\"type\":\"send\",\"rid\":\"\\ud83d\"}", ERR_INVALID_ARGUMENT, "", "" },
	{ "{\"type\":\"\\ud83d\"}", ERR_PROTOCOL, "", "" },
	{ "{\"type\":\"ping\",\"x\":\"\\ud8zz\"}", ERR_PROTOCOL, "", "" },
	{ "{\"type\":\"nothing\",\"x\":1,\"x\":2}", ERR_PROTOCOL, "twice", "" },
	{ "{\"type\":\"ping\",\"x\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}",
	  ERR_INVALID_ARGUMENT, "deep", "" },
	/* known, not served yet */
	{ "{\"type\":\"join\",\"rid\":\"j1\",\"room\":\"r\"}", ERR_FAILED_PRECONDITION, "not served", "j1" },
	{ "{\"type\":\"leave\",\"rid\":\"j1\",\"room\":\"r\"}", ERR_FAILED_PRECONDITION, "not served", "j1" },
	{ "{\"type\":\"focus\",\"rid\":7}", ERR_INVALID_ARGUMENT, "rid", "" },
	/* read and typing */
	{ "{\"type\":\"read\",\"seq\":1}", ERR_INVALID_ARGUMENT, "conversation_id", "" },
	{ "{\"type\":\"read\",\"rid\":\"r1\",\"conversation_id\":7,\"seq\":1}", ERR_INVALID_ARGUMENT, "conversation_id", "r1" },
	{ "{\"type\":\"read\",\"conversation_id\":\"x\",\"seq\":1}", ERR_INVALID_ARGUMENT, "conversation_id", "" },
	{ "{\"type\":\"read\",\"conversation_id\":\"u:b:a\",\"seq\":1}", ERR_INVALID_ARGUMENT, "conversation_id", "" },
	{ "{\"type\":\"read\",\"conversation_id\":\"u:a:b\"}", ERR_INVALID_ARGUMENT, "seq", "" },
	{ "{\"type\":\"read\",\"conversation_id\":\"u:a:b\",\"seq\":\"1\"}", ERR_INVALID_ARGUMENT, "seq", "" },
	{ "{\"type\":\"read\",\"conversation_id\":\"u:a:b\",\"seq\":-1}", ERR_INVALID_ARGUMENT, "seq", "" },
	{ "{\"type\":\"read\",\"rid\":\"\",\"conversation_id\":\"u:a:b\",\"seq\":1}", ERR_INVALID_ARGUMENT, "rid", "" },
	{ "{\"type\":\"typing\"}", ERR_INVALID_ARGUMENT, "conversation_id", "" },
	{ "{\"type\":\"typing\",\"rid\":\"r1\",\"conversation_id\":\"\"}", ERR_INVALID_ARGUMENT, "conversation_id", "r1" },
	{ "{\"type\":\"typing\",\"conversation_id\":\"q:a\"}", ERR_INVALID_ARGUMENT, "conversation_id", "" },
	/* watch */
	{ "{\"type\":\"watch\",\"uids\":[]}", ERR_INVALID_ARGUMENT, "rid", "" },
	{ "{\"type\":\"watch\",\"rid\":7,\"uids\":[]}", ERR_INVALID_ARGUMENT, "rid", "" },
	{ "{\"type\":\"watch\",\"rid\":\"r1\"}", ERR_INVALID_ARGUMENT, "uids", "r1" },
	{ "{\"type\":\"watch\",\"rid\":\"r1\",\"uids\":null}", ERR_INVALID_ARGUMENT, "uids", "r1" },
	{ "{\"type\":\"watch\",\"rid\":\"r1\",\"uids\":\"bob\"}", ERR_INVALID_ARGUMENT, "uids", "r1" },
	{ "{\"type\":\"watch\",\"rid\":\"r1\",\"uids\":[7]}", ERR_INVALID_ARGUMENT, "uids", "r1" },
	{ "{\"type\":\"watch\",\"rid\":\"r1\",\"uids\":[\"bob\",\"a b\"]}", ERR_INVALID_ARGUMENT, "uids", "r1" },
	/* ack */
	{ "{\"type\":\"ack\"}", ERR_INVALID_ARGUMENT, "offset", "" },
	{ "{\"type\":\"ack\",\"offset\":null}", ERR_INVALID_ARGUMENT, "offset", "" },
	{ "{\"type\":\"ack\",\"offset\":5}", ERR_INVALID_ARGUMENT, "offset", "" },
	{ "{\"type\":\"ack\",\"offset\":\"\"}", ERR_INVALID_ARGUMENT, "offset", "" },
	{ "{\"type\":\"ack\",\"offset\":\"-1\"}", ERR_INVALID_ARGUMENT, "offset", "" },
	{ "{\"type\":\"ack\",\"offset\":\"1.0\"}", ERR_INVALID_ARGUMENT, "offset", "" },
	{ "{\"type\":\"ack\",\"offset\":\" 1\"}", ERR_INVALID_ARGUMENT, "offset", "" },
	{ "{\"type\":\"ack\",\"offset\":\"0x1\"}", ERR_INVALID_ARGUMENT, "offset", "" },
	{ "{\"type\":\"ack\",\"offset\":\"111111111111111111111\"}", ERR_INVALID_ARGUMENT, "offset", "" },
	/* send: the frame */
	{ "{\"type\":\"send\",\"message\":{" GOOD "}}", ERR_INVALID_ARGUMENT, "rid", "" },
	{ "{\"type\":\"send\",\"rid\":null,\"message\":{" GOOD "}}", ERR_INVALID_ARGUMENT, "rid", "" },
	{ "{\"type\":\"send\",\"rid\":1,\"message\":{" GOOD "}}", ERR_INVALID_ARGUMENT, "rid", "" },
	{ "{\"type\":\"send\",\"rid\":\"\",\"message\":{" GOOD "}}", ERR_INVALID_ARGUMENT, "rid", "" },
	{ "{\"type\":\"send\",\"rid\":\"" X64 "x\",\"message\":{" GOOD "}}", ERR_INVALID_ARGUMENT, "rid", "" },
	{ "{\"type\":\"send\",\"rid\":\"a\\tb\",\"message\":{" GOOD "}}", ERR_INVALID_ARGUMENT, "rid", "" },
	{ "{\"type\":\"send\",\"rid\":\"\xc3\xa9\",\"message\":{" GOOD "}}", ERR_INVALID_ARGUMENT, "rid", "" },
	{ "{\"type\":\"send\",\"rid\":\"r1\"}", ERR_INVALID_ARGUMENT, "message", "r1" },
	{ SEND("\"message\":null"), ERR_INVALID_ARGUMENT, "message", "r1" },
	{ SEND("\"message\":\"hi\""), ERR_INVALID_ARGUMENT, "message", "r1" },
	{ SEND("\"message\":[]"), ERR_INVALID_ARGUMENT, "message", "r1" },
	/* send: the message */
	{ MESSAGE(""), ERR_INVALID_ARGUMENT, "message.client_msg_id", "r1" },
	{ MESSAGE("\"client_msg_id\":1," GOOD_TO ",\"type\":\"text\""), ERR_INVALID_ARGUMENT, "message.client_msg_id",
	  "r1" },
	{ MESSAGE("\"client_msg_id\":\"\"," GOOD_TO ",\"type\":\"text\""), ERR_INVALID_ARGUMENT,
	  "message.client_msg_id", "r1" },
	{ MESSAGE("\"client_msg_id\":\"a b\"," GOOD_TO ",\"type\":\"text\""), ERR_INVALID_ARGUMENT,
	  "message.client_msg_id", "r1" },
	{ MESSAGE("\"client_msg_id\":\"" X64 "x\"," GOOD_TO ",\"type\":\"text\""), ERR_INVALID_ARGUMENT,
	  "message.client_msg_id", "r1" },
	{ MESSAGE("\"client_msg_id\":\"k\",\"type\":\"text\""), ERR_INVALID_ARGUMENT, "message.to", "r1" },
	{ MESSAGE("\"client_msg_id\":\"k\",\"to\":\"bob\",\"type\":\"text\""), ERR_INVALID_ARGUMENT, "message.to",
	  "r1" },
	{ MESSAGE("\"client_msg_id\":\"k\",\"to\":{},\"type\":\"text\""), ERR_INVALID_ARGUMENT, "message.to", "r1" },
	{ MESSAGE("\"client_msg_id\":\"k\",\"to\":{\"user\":null},\"type\":\"text\""), ERR_INVALID_ARGUMENT,
	  "message.to", "r1" },
	{ MESSAGE("\"client_msg_id\":\"k\",\"to\":{\"user\":\"a\",\"group\":\"b\"},\"type\":\"text\""),
	  ERR_INVALID_ARGUMENT, "message.to", "r1" },
	{ MESSAGE("\"client_msg_id\":\"k\",\"to\":{\"user\":5},\"type\":\"text\""), ERR_INVALID_ARGUMENT,
	  "message.to.user", "r1" },
	{ MESSAGE("\"client_msg_id\":\"k\",\"to\":{\"user\":\"\"},\"type\":\"text\""), ERR_INVALID_ARGUMENT,
	  "message.to.user", "r1" },
	{ MESSAGE("\"client_msg_id\":\"k\",\"to\":{\"user\":\"a:b\"},\"type\":\"text\""), ERR_INVALID_ARGUMENT,
	  "message.to.user", "r1" },
	{ MESSAGE("\"client_msg_id\":\"k\",\"to\":{\"group\":\"" X64 "x\"},\"type\":\"text\""), ERR_INVALID_ARGUMENT,
	  "message.to.group", "r1" },
	{ MESSAGE("\"client_msg_id\":\"k\"," GOOD_TO), ERR_INVALID_ARGUMENT, "message.type", "r1" },
	{ MESSAGE("\"client_msg_id\":\"k\"," GOOD_TO ",\"type\":7"), ERR_INVALID_ARGUMENT, "message.type", "r1" },
	{ MESSAGE("\"client_msg_id\":\"k\"," GOOD_TO ",\"type\":\"\""), ERR_INVALID_ARGUMENT, "message.type", "r1" },
	{ MESSAGE("\"client_msg_id\":\"k\"," GOOD_TO ",\"type\":\"" X64 "\""), ERR_INVALID_ARGUMENT, "message.type",
	  "r1" },
	{ MESSAGE("\"client_msg_id\":\"k\"," GOOD_TO ",\"type\":\"text\",\"body\":\"hi\""), ERR_INVALID_ARGUMENT,
	  "message.body", "r1" },
	{ MESSAGE("\"client_msg_id\":\"k\"," GOOD_TO ",\"type\":\"text\",\"body\":[]"), ERR_INVALID_ARGUMENT,
	  "message.body", "r1" },
	{ MESSAGE(GOOD ",\"reply_to\":\"1\""), ERR_INVALID_ARGUMENT, "message.reply_to", "r1" },
	{ MESSAGE(GOOD ",\"reply_to\":0"), ERR_INVALID_ARGUMENT, "message.reply_to", "r1" },
	{ MESSAGE(GOOD ",\"reply_to\":-1"), ERR_INVALID_ARGUMENT, "message.reply_to", "r1" },
	{ MESSAGE(GOOD ",\"reply_to\":1.5"), ERR_INVALID_ARGUMENT, "message.reply_to", "r1" },
	{ MESSAGE(GOOD ",\"reply_to\":99999999999999999999"), ERR_INVALID_ARGUMENT, "reply_to", "r1" },
	{ MESSAGE(GOOD ",\"expire_s\":0"), ERR_INVALID_ARGUMENT, "message.expire_s", "r1" },
	{ MESSAGE(GOOD ",\"expire_s\":604801"), ERR_INVALID_ARGUMENT, "message.expire_s", "r1" },
	{ MESSAGE(GOOD ",\"expire_s\":\"1\""), ERR_INVALID_ARGUMENT, "message.expire_s", "r1" },
	{ MESSAGE(GOOD ",\"forward\":1"), ERR_INVALID_ARGUMENT, "message.forward", "r1" },
	{ MESSAGE(GOOD ",\"forward\":{\"seqs\":[1]}"), ERR_INVALID_ARGUMENT, "message.forward.conversation_id", "r1" },
	{ MESSAGE(GOOD ",\"forward\":{\"conversation_id\":\"g:g\",\"seqs\":1}"), ERR_INVALID_ARGUMENT, "message.forward.seqs",
	  "r1" },
	{ MESSAGE(GOOD ",\"mentions\":\"bob\""), ERR_INVALID_ARGUMENT, "message.mentions", "r1" },
	{ MESSAGE(GOOD ",\"mentions\":[1]"), ERR_INVALID_ARGUMENT, "message.mentions", "r1" },
	{ MESSAGE(GOOD ",\"mentions\":[\"\"]"), ERR_INVALID_ARGUMENT, "message.mentions", "r1" },
	{ MESSAGE(GOOD ",\"mentions\":[\"a b\"]"), ERR_INVALID_ARGUMENT, "message.mentions", "r1" },
};

static err_t read_json(struct client_frame *frame, const char *text)
{
	return client_frame_read(frame, SUBPROTOCOL_JSON, str_from(text), "alice");
}

static void every_fault_has_its_error(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
		struct client_frame frame;
		err_t err = read_json(&frame, faults[i].frame);

		if (err != faults[i].err)
			fail_msg("%s: %s (%s) instead of %s", faults[i].frame, err_name(err), frame.detail,
			         err_name(faults[i].err));
		if (!strstr(frame.detail, faults[i].names))
			fail_msg("%s: \"%s\" does not name %s", faults[i].frame, frame.detail, faults[i].names);
		if (strcmp(frame.rid, faults[i].rid) != 0)
			fail_msg("%s: rid \"%s\" instead of \"%s\"", faults[i].frame, frame.rid, faults[i].rid);
		client_frame_release(&frame);
	}
}

static void too_many_mentions_are_refused(void **state)
{
	struct client_frame frame;
	struct buf text = { 0 };
	(void)state;

	for (int count = 50; count <= 51; count++) {
		buf_clear(&text);
		buf_append_text(&text, "{\"type\":\"send\",\"rid\":\"r1\",\"message\":{" GOOD ",\"mentions\":[");
		for (int i = 0; i < count; i++)
			buf_printf(&text, "%s\"u%d\"", i ? "," : "", i);
		buf_append_text(&text, "]}}");
		assert_int_equal(read_json(&frame, buf_text(&text)), count == 50 ? OK : ERR_INVALID_ARGUMENT);
		client_frame_release(&frame);
	}
	buf_release(&text);
}

static Skein__V1__SendRequest *request_of(const struct client_frame *frame)
{
	Skein__V1__SendRequest *request =
		skein__v1__send_request__unpack(NULL, frame->request.len, (const uint8_t *)frame->request.ptr);

	assert_non_null(request);
	return request;
}

static void a_send_becomes_a_request_in_the_users_name(void **state)
{
	struct client_frame frame;
	(void)state;

	assert_int_equal(read_json(&frame, "{\"type\":\"send\",\"rid\":\"a b\",\"from\":\"eve\",\"message\":{\"from\":\"eve\","
	                                   "\"client_msg_id\":\"k1\",\"to\":{\"group\":\"crew\"},\"type\":\"custom\","
	                                   "\"body\":{\"b\":[1,2.5,\"\xc3\xa9\"],\"a\":null},\"reply_to\":9,"
	                                   "\"mentions\":[\"bob\",\"*\"]}}"),
	                 OK);
	assert_int_equal(frame.kind, CLIENT_SEND);
	assert_string_equal(frame.rid, "a b");
	assert_string_equal(frame.client_msg_id, "k1");
	Skein__V1__SendRequest *request = request_of(&frame);
	assert_string_equal(request->from, "alice");
	assert_string_equal(request->client_msg_id, "k1");
	assert_string_equal(request->to_group, "crew");
	assert_string_equal(request->to_user, "");
	assert_string_equal(request->type, "custom");
	assert_string_equal(request->body, "{\"b\":[1,2.5,\"\xc3\xa9\"],\"a\":null}");
	assert_int_equal(request->reply_to, 9);
	assert_int_equal(request->n_mentions, 2);
	assert_string_equal(request->mentions[0], "bob");
	assert_string_equal(request->mentions[1], "*");
	skein__v1__send_request__free_unpacked(request, NULL);
	client_frame_release(&frame);
}

static void optional_fields_may_be_null(void **state)
{
	struct client_frame frame;
	(void)state;

	assert_int_equal(read_json(&frame, MESSAGE("\"client_msg_id\":\"k1\",\"to\":{\"user\":\"bob\",\"group\":null},"
	                                           "\"type\":\"text\",\"body\":null,\"reply_to\":null,\"mentions\":null")),
	                 OK);
	Skein__V1__SendRequest *request = request_of(&frame);
	assert_string_equal(request->to_user, "bob");
	assert_string_equal(request->body, "");
	assert_int_equal(request->reply_to, 0);
	skein__v1__send_request__free_unpacked(request, NULL);
	client_frame_release(&frame);
}

static void ping_and_ack_are_read(void **state)
{
	struct client_frame frame;
	(void)state;

	assert_int_equal(read_json(&frame, "{\"type\":\"ping\"}"), OK);
	assert_int_equal(frame.kind, CLIENT_PING);
	assert_int_equal(read_json(&frame, " {\"type\":\"ping\",\"unknown\":1} "), OK);
	assert_int_equal(read_json(&frame, "{\"type\":\"ack\",\"offset\":\"17\"}"), OK);
	assert_int_equal(frame.kind, CLIENT_ACK);
	assert_int_equal(frame.offset, 17);
	assert_int_equal(read_json(&frame, "{\"type\":\"ack\",\"offset\":\"99999999999999999999\"}"), OK);
	assert_true(frame.offset == UINT64_MAX); /* above any number given out */
}

/* ---- protobuf ---- */

static err_t read_proto(struct client_frame *out, const Skein__V1__ClientFrame *frame)
{
	uint8_t bytes[2048];
	size_t len = skein__v1__client_frame__pack(frame, bytes);

	return client_frame_read(out, SUBPROTOCOL_PROTO, str_of(bytes, len), "alice");
}

static err_t read_proto_send(struct client_frame *out, Skein__V1__Send send)
{
	Skein__V1__ClientFrame frame = SKEIN__V1__CLIENT_FRAME__INIT;

	frame.frame_case = SKEIN__V1__CLIENT_FRAME__FRAME_SEND;
	frame.send = &send;
	return read_proto(out, &frame);
}

static void a_protobuf_frame_reads_like_its_json_form(void **state)
{
	Skein__V1__ClientFrame frame = SKEIN__V1__CLIENT_FRAME__INIT;
	Skein__V1__Ping ping = SKEIN__V1__PING__INIT;
	Skein__V1__AckUpTo ack = SKEIN__V1__ACK_UP_TO__INIT;
	Skein__V1__Send send = SKEIN__V1__SEND__INIT;
	struct client_frame out;
	(void)state;

	frame.frame_case = SKEIN__V1__CLIENT_FRAME__FRAME_PING, frame.ping = &ping;
	assert_int_equal(read_proto(&out, &frame), OK);
	assert_int_equal(out.kind, CLIENT_PING);
	frame.frame_case = SKEIN__V1__CLIENT_FRAME__FRAME_ACK, frame.ack = &ack, ack.offset = "17";
	assert_int_equal(read_proto(&out, &frame), OK);
	assert_int_equal(out.offset, 17);
	send.rid = "r1", send.client_msg_id = "k1", send.to_user = "bob", send.type = "text", send.body = "{\"text\":\"hi\"}";
	assert_int_equal(read_proto_send(&out, send), OK);
	Skein__V1__SendRequest *request = request_of(&out);
	assert_string_equal(request->from, "alice");
	assert_string_equal(request->body, "{\"text\":\"hi\"}");
	skein__v1__send_request__free_unpacked(request, NULL);
	client_frame_release(&out);
}

static void expect_proto_fault(Skein__V1__Send send, const char *names, const char *rid)
{
	struct client_frame out;

	assert_int_equal(read_proto_send(&out, send), ERR_INVALID_ARGUMENT);
	if (!strstr(out.detail, names))
		fail_msg("\"%s\" does not name %s", out.detail, names);
	assert_string_equal(out.rid, rid);
	client_frame_release(&out);
}

static void every_fault_in_protobuf_has_its_error(void **state)
{
	Skein__V1__Send good = SKEIN__V1__SEND__INIT, bad;
	char *mentions[51];
	(void)state;

	good.rid = "r1", good.client_msg_id = "k1", good.to_user = "bob", good.type = "text";
	bad = good, bad.rid = "";
	expect_proto_fault(bad, "rid", "");
	bad = good, bad.rid = X64 "x";
	expect_proto_fault(bad, "rid", "");
	bad = good, bad.rid = "\xff";
	expect_proto_fault(bad, "rid", "");
	bad = good, bad.client_msg_id = "";
	expect_proto_fault(bad, "client_msg_id", "r1");
	bad = good, bad.client_msg_id = "\x01";
	expect_proto_fault(bad, "client_msg_id", "r1");
	bad = good, bad.to_user = "";
	expect_proto_fault(bad, "to", "r1");
	bad = good, bad.to_group = "crew";
	expect_proto_fault(bad, "to", "r1");
	bad = good, bad.to_user = "a:b";
	expect_proto_fault(bad, "to.user", "r1");
	bad = good, bad.to_user = "", bad.to_group = "a b";
	expect_proto_fault(bad, "to.group", "r1");
	bad = good, bad.type = "";
	expect_proto_fault(bad, "type", "r1");
	bad = good, bad.type = "\xff";
	expect_proto_fault(bad, "type", "r1");
	bad = good, bad.body = "{\"text\":\"\xff\"}";
	expect_proto_fault(bad, "body", "r1");
	bad = good, bad.reply_to = UINT64_MAX;
	expect_proto_fault(bad, "reply_to", "r1");
	for (size_t i = 0; i < ARRAY_LEN(mentions); i++)
		mentions[i] = "u";
	bad = good, bad.mentions = mentions, bad.n_mentions = 51;
	expect_proto_fault(bad, "mentions", "r1");
	mentions[0] = "a b";
	bad = good, bad.mentions = mentions, bad.n_mentions = 1;
	expect_proto_fault(bad, "mentions", "r1");
}

/* Packs the frame with NUL in place of each DEL, which protobuf-c cannot write. */
static void expect_nul_fault(Skein__V1__ClientFrame__FrameCase kind, void *part, const char *rid)
{
	Skein__V1__ClientFrame frame = SKEIN__V1__CLIENT_FRAME__INIT;
	struct client_frame out;
	uint8_t bytes[2048];

	frame.frame_case = kind, frame.send = part;
	size_t len = skein__v1__client_frame__pack(&frame, bytes);
	for (size_t i = 0; i < len; i++)
		bytes[i] = bytes[i] == '\x7f' ? 0 : bytes[i];
	assert_int_equal(client_frame_read(&out, SUBPROTOCOL_PROTO, str_of(bytes, len), "alice"), ERR_INVALID_ARGUMENT);
	assert_non_null(strstr(out.detail, "NUL"));
	assert_string_equal(out.rid, rid);
	assert_int_equal(out.request.len, 0);
	client_frame_release(&out);
}

static void expect_nul_fault_of_send(Skein__V1__Send send, const char *rid)
{
	expect_nul_fault(SKEIN__V1__CLIENT_FRAME__FRAME_SEND, &send, rid);
}

static void a_nul_in_a_text_of_a_protobuf_send_is_a_fault(void **state)
{
	Skein__V1__Send good = SKEIN__V1__SEND__INIT, bad;
	Skein__V1__Forward forward = SKEIN__V1__FORWARD__INIT;
	char *mentions[] = { "bob", "carol\x7fx" };
	(void)state;

	good.rid = "r1", good.client_msg_id = "k1", good.to_user = "bob", good.type = "text";
	bad = good, bad.rid = "r1\x7fx";
	expect_nul_fault_of_send(bad, "");
	bad = good, bad.rid = "\x7f";
	expect_nul_fault_of_send(bad, "");
	bad = good, bad.client_msg_id = "k1\x7fx";
	expect_nul_fault_of_send(bad, "r1");
	bad = good, bad.to_user = "bob\x7f";
	expect_nul_fault_of_send(bad, "r1");
	bad = good, bad.to_group = "\x7fx";
	expect_nul_fault_of_send(bad, "r1");
	bad = good, bad.type = "text\x7fx";
	expect_nul_fault_of_send(bad, "r1");
	bad = good, bad.body = "{}\x7fx";
	expect_nul_fault_of_send(bad, "r1");
	bad = good, bad.n_mentions = 2, bad.mentions = mentions;
	expect_nul_fault_of_send(bad, "r1");
	bad = good, bad.forward = &forward, forward.conversation_id = "g:crew\x7fx";
	expect_nul_fault_of_send(bad, "r1");
}

static void a_nul_in_a_text_of_any_other_protobuf_frame_is_a_fault(void **state)
{
	Skein__V1__AckUpTo ack = SKEIN__V1__ACK_UP_TO__INIT;
	Skein__V1__Read read = SKEIN__V1__READ__INIT;
	Skein__V1__Typing typing = SKEIN__V1__TYPING__INIT;
	Skein__V1__Watch watch = SKEIN__V1__WATCH__INIT;
	char *uids[] = { "bob\x7fx" };
	(void)state;

	ack.offset = "5\x7fx";
	expect_nul_fault(SKEIN__V1__CLIENT_FRAME__FRAME_ACK, &ack, "");
	read.rid = "r1", read.conversation_id = "g:crew\x7fx";
	expect_nul_fault(SKEIN__V1__CLIENT_FRAME__FRAME_READ, &read, "r1");
	read.rid = "r1\x7fx", read.conversation_id = "g:crew";
	expect_nul_fault(SKEIN__V1__CLIENT_FRAME__FRAME_READ, &read, "");
	typing.rid = "r1", typing.conversation_id = "g:crew\x7fx";
	expect_nul_fault(SKEIN__V1__CLIENT_FRAME__FRAME_TYPING, &typing, "r1");
	watch.rid = "r1", watch.n_uids = 1, watch.uids = uids;
	expect_nul_fault(SKEIN__V1__CLIENT_FRAME__FRAME_WATCH, &watch, "r1");
}

static void bytes_that_are_no_client_frame_are_a_protocol_error(void **state)
{
	const struct str garbage[] = { STR(""), STR("\xff\xff\xff"), STR("{\"type\":\"ping\"}"), STR("\x3a\x00"), STR("\x0a\x7f") };
	struct client_frame out;
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(garbage); i++) {
		assert_int_equal(client_frame_read(&out, SUBPROTOCOL_PROTO, garbage[i], "alice"), ERR_PROTOCOL);
		client_frame_release(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_fault_has_its_error),
		cmocka_unit_test(too_many_mentions_are_refused),
		cmocka_unit_test(a_send_becomes_a_request_in_the_users_name),
		cmocka_unit_test(optional_fields_may_be_null),
		cmocka_unit_test(ping_and_ack_are_read),
		cmocka_unit_test(a_protobuf_frame_reads_like_its_json_form),
		cmocka_unit_test(every_fault_in_protobuf_has_its_error),
		cmocka_unit_test(a_nul_in_a_text_of_a_protobuf_send_is_a_fault),
		cmocka_unit_test(a_nul_in_a_text_of_any_other_protobuf_frame_is_a_fault),
		cmocka_unit_test(bytes_that_are_no_client_frame_are_a_protocol_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
