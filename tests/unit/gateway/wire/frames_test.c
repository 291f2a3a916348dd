#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text/json.h"
#include "base/mem.h"
#include "gateway/wire/message_frame.h"
#include "gateway/wire/server_frame.h"

/* The tests read frames back with independent parsers: jansson and protobuf-c. */

/* The payload of the one frame in `bytes`. */
static struct str unwrap(struct str bytes, int opcode)
{
	const unsigned char *at = (const unsigned char *)bytes.ptr;
	size_t header = 2, len = at[1];

	assert_int_equal(at[0], 0x80 | opcode);
	if (len == 126) {
		header = 4;
		len = (size_t)at[2] << 8 | at[3];
	} else if (len == 127) {
		header = 10;
		len = 0;
		for (int i = 2; i < 10; i++)
			len = len << 8 | at[i];
	}
	assert_int_equal(bytes.len, header + len);
	return str_of(bytes.ptr + header, len);
}

static json_t *parse(struct str text)
{
	struct json_error error = { 0 };
	json_t *root = json_read(text, &error);

	if (!root)
		fail_msg("%s: %.*s", error.detail, STR_ARG(text));
	return root;
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "(none)";
}

static void set_up_message(Skein__V1__Message *m)
{
	static char *mentions[] = { "bob", "*" };

	skein__v1__message__init(m);
	m->conversation_id = "g:crew";
	m->seq = 42;
	m->msg_id = 18446744073709551615ull;
	m->from = "alice";
	m->type = "text";
	m->body = "{\"text\":\"h\xc3\xa9 \\\"you\\\" \\\\\"}";
	m->time = 1700000000123;
	m->reply_to = 7;
	m->mentions = mentions;
	m->n_mentions = 2;
}

static struct shared_frame *make_frame(const Skein__V1__Message *m, bool for_sender, const char *client_msg_id)
{
	size_t len = skein__v1__message__get_packed_size(m);
	uint8_t *bytes = mem_alloc(len);

	skein__v1__message__pack(m, bytes);
	struct shared_frame *frame = message_frame_new(str_of(bytes, len), for_sender, str_from(client_msg_id));
	mem_free(bytes);
	return frame;
}

static const uint64_t offsets[] = { 1, 9, 10, 99, 12345, 4294967296, 9223372036854775807ull, 18446744073709551615ull };

static void offset_text(char out[21], uint64_t offset)
{
	snprintf(out, 21, "%llu", (unsigned long long)offset);
}

static char wire[SHARED_FRAME_MAX + 1024];

static struct str write_frame(const struct shared_frame *frame, enum viewer viewer, enum subprotocol subprotocol, uint64_t offset)
{
	size_t len = message_frame_write(wire, frame, viewer, subprotocol, offset);

	assert_true(len <= message_frame_max(frame, viewer, subprotocol));
	return str_of(wire, len);
}

static void check_json(struct str payload, const char *offset, const char *client_msg_id)
{
	json_t *root = parse(payload), *message = json_object_get(root, "message");

	assert_string_equal(text_of(root, "type"), "message");
	assert_string_equal(text_of(root, "offset"), offset);
	assert_int_equal(json_object_size(root), 3);
	assert_string_equal(text_of(message, "conversation_id"), "g:crew");
	assert_int_equal(json_integer_value(json_object_get(message, "seq")), 42);
	assert_string_equal(text_of(message, "msg_id"), "18446744073709551615");
	assert_string_equal(text_of(message, "from"), "alice");
	assert_string_equal(text_of(json_object_get(message, "body"), "text"), "h\xc3\xa9 \"you\" \\");
	assert_string_equal(json_string_value(json_array_get(json_object_get(message, "mentions"), 1)), "*");
	assert_string_equal(text_of(message, "client_msg_id"), client_msg_id);
	json_decref(root);
}

static void check_proto(struct str payload, const char *offset, const char *client_msg_id)
{
	Skein__V1__ServerFrame *frame =
		skein__v1__server_frame__unpack(NULL, payload.len, (const uint8_t *)payload.ptr);

	assert_non_null(frame);
	assert_int_equal(frame->frame_case, SKEIN__V1__SERVER_FRAME__FRAME_MESSAGE);
	assert_string_equal(frame->offset, offset);
	assert_string_equal(frame->message->conversation_id, "g:crew");
	assert_int_equal(frame->message->seq, 42);
	assert_true(frame->message->msg_id == 18446744073709551615ull);
	assert_int_equal(frame->message->n_mentions, 2);
	assert_string_equal(frame->message->client_msg_id, client_msg_id);
	skein__v1__server_frame__free_unpacked(frame, NULL);
}

static void a_message_reads_back_whole_with_each_connections_offset(void **state)
{
	Skein__V1__Message message;
	(void)state;

	set_up_message(&message);
	struct shared_frame *frame = make_frame(&message, true, "key-1\"\\");
	assert_non_null(frame);
	for (size_t i = 0; i < ARRAY_LEN(offsets); i++) {
		char offset[21];

		offset_text(offset, offsets[i]);
		check_json(unwrap(write_frame(frame, VIEWER_OTHER, SUBPROTOCOL_JSON, offsets[i]), 1), offset, "(none)");
		check_json(unwrap(write_frame(frame, VIEWER_SENDER, SUBPROTOCOL_JSON, offsets[i]), 1), offset, "key-1\"\\");
		check_proto(unwrap(write_frame(frame, VIEWER_OTHER, SUBPROTOCOL_PROTO, offsets[i]), 2), offset, "");
		check_proto(unwrap(write_frame(frame, VIEWER_SENDER, SUBPROTOCOL_PROTO, offsets[i]), 2), offset, "key-1\"\\");
	}
	shared_frame_unref(frame);
}

static void frames_of_every_length_have_the_right_header(void **state)
{
	Skein__V1__Message message;
	char *body = mem_alloc(200001);
	(void)state;

	set_up_message(&message);
	message.mentions = NULL;
	message.n_mentions = 0;
	/* Each length around 126 and 65536, and some between. */
	for (size_t len = 0; len <= 200000; len += len < 300 || (len > 65000 && len < 65700) ? 1 : 991) {
		if (len >= 8)
			snprintf(body, len + 1, "{\"t\":\"%*s\"}", (int)(len - 8), "");
		message.body = len >= 8 ? body : "";
		struct shared_frame *frame = make_frame(&message, false, "");
		assert_non_null(frame);
		struct str json = unwrap(write_frame(frame, VIEWER_OTHER, SUBPROTOCOL_JSON, 3), 1);
		json_decref(parse(json));
		struct str proto = unwrap(write_frame(frame, VIEWER_OTHER, SUBPROTOCOL_PROTO, 3), 2);
		Skein__V1__ServerFrame *read =
			skein__v1__server_frame__unpack(NULL, proto.len, (const uint8_t *)proto.ptr);
		assert_non_null(read);
		assert_string_equal(read->message->body, message.body);
		skein__v1__server_frame__free_unpacked(read, NULL);
		shared_frame_unref(frame);
	}
	mem_free(body);
}

static void expect_refused(const Skein__V1__Message *message, const char *why)
{
	struct shared_frame *frame = make_frame(message, false, "");

	if (frame)
		fail_msg("shown although %s", why);
}

static uint64_t wall_ms;

static uint64_t read_wall(void)
{
	return wall_ms;
}

/* What push sent before the message expired is encoded after. */
static void a_message_that_expired_on_its_way_is_encoded_without_its_body(void **state)
{
	const struct clock_source source = { clock_mono_us, read_wall };
	Skein__V1__Message m;
	(void)state;

	set_up_message(&m);
	m.expires_at = 1700000060000;
	clock_replace(&source);
	for (wall_ms = m.expires_at - 1; wall_ms <= m.expires_at; wall_ms++) {
		bool is_expired = wall_ms == m.expires_at;
		struct shared_frame *frame = make_frame(&m, true, "k");
		struct str proto = frame->tails[VIEWER_OTHER][SUBPROTOCOL_PROTO];
		struct buf json = { 0 };
		for (int viewer = 0; viewer < VIEWER_COUNT; viewer++) {
			buf_clear(&json);
			buf_append_str(&json, frame->tails[viewer][SUBPROTOCOL_JSON]);
			assert_int_equal(!strstr(buf_text(&json), "\"body\""), is_expired);
			assert_int_equal(!!strstr(buf_text(&json), "\"expired\":true"), is_expired);
		}
		assert_int_equal(!memmem(proto.ptr, proto.len, m.body, strlen(m.body)), is_expired);
		buf_release(&json);
		shared_frame_unref(frame);
	}
	clock_replace(NULL);
}

static void a_message_that_cannot_be_shown_is_refused(void **state)
{
	Skein__V1__Message good, bad;
	(void)state;

	set_up_message(&good);
	bad = good, bad.conversation_id = "";
	expect_refused(&bad, "it has no conversation");
	bad = good, bad.seq = 0;
	expect_refused(&bad, "it has no seq");
	bad = good, bad.from = "";
	expect_refused(&bad, "nobody sent it");
	bad = good, bad.type = "";
	expect_refused(&bad, "it has no type");
	bad = good, bad.body = "[1]";
	expect_refused(&bad, "its body is no object");
	bad = good, bad.body = "{\"text\":\"\xff\"}";
	expect_refused(&bad, "its body is not UTF-8");
	bad = good, bad.client_msg_id = "key";
	expect_refused(&bad, "others would see the sender's key");
	assert_null(message_frame_new(STR("\xff\xff\xff"), false, STR("")));
	assert_null(message_frame_new(str_of(NULL, 0), false, STR("")));

	char *body = mem_zalloc(SHARED_FRAME_MAX + 1);
	memset(body, ' ', SHARED_FRAME_MAX);
	body[0] = '{';
	body[1] = '}';
	bad = good, bad.body = body;
	expect_refused(&bad, "its frame is too large");
	mem_free(body);
}

static void no_frame_exceeds_the_largest_size(void **state)
{
	Skein__V1__Message message;
	char *body = mem_zalloc(SHARED_FRAME_MAX + 1), key[65] = "";
	unsigned shown = 0, refused = 0;
	(void)state;

	memset(body, ' ', SHARED_FRAME_MAX);
	memcpy(body, "{}", 2);
	memset(key, '"', sizeof(key) - 1); /* JSON escapes it, so the sender's own frame is the longest */
	set_up_message(&message);
	message.body = body;
	for (size_t len = SHARED_FRAME_MAX; len > SHARED_FRAME_MAX - 600; len -= 3) {
		body[len] = '\0';
		struct shared_frame *frame = make_frame(&message, true, key);
		shown += frame != NULL;
		refused += frame == NULL;
		if (!frame)
			continue;
		assert_true(write_frame(frame, VIEWER_SENDER, SUBPROTOCOL_JSON, UINT64_MAX).len <= SHARED_FRAME_MAX);
		assert_true(write_frame(frame, VIEWER_SENDER, SUBPROTOCOL_PROTO, UINT64_MAX).len <= SHARED_FRAME_MAX);
		shared_frame_unref(frame);
	}
	assert_true(shown > 0 && refused > 0);
	mem_free(body);
}

static void unknown_fields_count_towards_the_size_of_the_protobuf_frame(void **state)
{
	Skein__V1__Message message;
	ProtobufCMessageUnknownField field = { .tag = 999, .wire_type = PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED };
	(void)state;

	set_up_message(&message);
	message.base.n_unknown_fields = 1;
	message.base.unknown_fields = &field;
	field.data = mem_zalloc(SHARED_FRAME_MAX);
	memcpy(field.data, "\xfd\xff\x0f", 3); /* the length of the rest */
	field.len = SHARED_FRAME_MAX;
	expect_refused(&message, "its protobuf frame is too large");
	memcpy(field.data, "\xfd\xff\x0e", 3);
	field.len = SHARED_FRAME_MAX - (1 << 14);
	struct shared_frame *frame = make_frame(&message, false, "");
	assert_non_null(frame);
	shared_frame_unref(frame);
	mem_free(field.data);
}

static void the_last_reference_of_a_worker_frees_the_shared_frame(void **state)
{
	Skein__V1__Message message;
	(void)state;

	set_up_message(&message);
	struct shared_frame *frame = make_frame(&message, false, "");
	struct worker_frame *one = worker_frame_new(frame), *other = worker_frame_new(frame);
	assert_int_equal(atomic_load(&frame->refs), 3);
	worker_frame_ref(one);
	worker_frame_unref(one);
	worker_frame_unref(other);
	shared_frame_unref(frame);
	assert_int_equal(atomic_load(&frame->refs), 1);
	worker_frame_unref(one); /* frees both; otherwise the address sanitizer reports a leak */
}

/* ---- server frames ---- */

static void set_up_frames(Skein__V1__ServerFrame frames[6])
{
	static Skein__V1__Hello hello;
	static Skein__V1__Ack ack;
	static Skein__V1__Error error;
	static Skein__V1__Resync resync;
	static Skein__V1__Reconnect reconnect;
	static Skein__V1__Pong pong;

	for (int i = 0; i < 6; i++)
		skein__v1__server_frame__init(&frames[i]);
	skein__v1__hello__init(&hello);
	hello.node = "gateway-1", hello.conn = "72057594037927937", hello.uid = "alice", hello.device = "phone";
	hello.heartbeat_s = 54, hello.epoch = "0123456789abcde", hello.head = "17";
	frames[0].frame_case = SKEIN__V1__SERVER_FRAME__FRAME_HELLO, frames[0].hello = &hello;
	skein__v1__ack__init(&ack);
	ack.rid = "r \"1\"", ack.msg_id = 1ull << 63, ack.conversation_id = "u:a:b", ack.seq = 3, ack.time = 4, ack.duplicate = 1;
	frames[1].frame_case = SKEIN__V1__SERVER_FRAME__FRAME_ACK, frames[1].ack = &ack;
	skein__v1__error__init(&error);
	error.code = "blocked", error.message = "no\nway";
	frames[2].frame_case = SKEIN__V1__SERVER_FRAME__FRAME_ERROR, frames[2].error = &error;
	skein__v1__resync__init(&resync);
	resync.epoch = "0123456789abcde";
	frames[3].frame_case = SKEIN__V1__SERVER_FRAME__FRAME_RESYNC, frames[3].resync = &resync;
	skein__v1__reconnect__init(&reconnect);
	reconnect.after_ms = 1500;
	frames[4].frame_case = SKEIN__V1__SERVER_FRAME__FRAME_RECONNECT, frames[4].reconnect = &reconnect;
	skein__v1__pong__init(&pong);
	frames[5].frame_case = SKEIN__V1__SERVER_FRAME__FRAME_PONG, frames[5].pong = &pong;
}

static void server_frames_have_the_fields_of_the_contract(void **state)
{
	static const char *const expected[] = {
		"{\"type\":\"hello\",\"node\":\"gateway-1\",\"conn\":\"72057594037927937\",\"uid\":\"alice\",\"device\":\"phone\","
		"\"heartbeat_s\":54,\"epoch\":\"0123456789abcde\",\"head\":\"17\"}",
		"{\"type\":\"ack\",\"rid\":\"r \\\"1\\\"\",\"msg_id\":\"9223372036854775808\",\"conversation_id\":\"u:a:b\",\"seq\":3,"
		"\"time\":4,\"duplicate\":true}",
		"{\"type\":\"error\",\"code\":\"blocked\",\"message\":\"no\\nway\"}",
		"{\"type\":\"resync\",\"epoch\":\"0123456789abcde\"}",
		"{\"type\":\"reconnect\",\"after_ms\":1500}",
		"{\"type\":\"pong\"}",
	};
	Skein__V1__ServerFrame frames[6];
	(void)state;

	set_up_frames(frames);
	for (int i = 0; i < 6; i++) {
		struct payload *payload = server_frame(SUBPROTOCOL_JSON, &frames[i]);
		json_t *is = parse(payload_str(payload)), *should_be = parse(str_from(expected[i]));

		if (!json_equal(is, should_be))
			fail_msg("%.*s instead of %s", STR_ARG(payload_str(payload)), expected[i]);
		json_decref(is);
		json_decref(should_be);
		payload_unref(payload);
	}
}

static void server_frames_read_back_from_protobuf(void **state)
{
	Skein__V1__ServerFrame frames[6];
	(void)state;

	set_up_frames(frames);
	for (int i = 0; i < 6; i++) {
		struct payload *payload = server_frame(SUBPROTOCOL_PROTO, &frames[i]);
		Skein__V1__ServerFrame *read =
			skein__v1__server_frame__unpack(NULL, payload->len, (const uint8_t *)payload->bytes);

		assert_non_null(read);
		assert_int_equal(read->frame_case, frames[i].frame_case);
		if (i == 0) {
			assert_string_equal(read->hello->conn, "72057594037927937");
			assert_string_equal(read->hello->head, "17");
		} else if (i == 1) {
			assert_true(read->ack->msg_id == 1ull << 63);
			assert_true(read->ack->duplicate);
		}
		skein__v1__server_frame__free_unpacked(read, NULL);
		payload_unref(payload);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_reads_back_whole_with_each_connections_offset),
		cmocka_unit_test(frames_of_every_length_have_the_right_header),
		cmocka_unit_test(a_message_that_expired_on_its_way_is_encoded_without_its_body),
		cmocka_unit_test(a_message_that_cannot_be_shown_is_refused),
		cmocka_unit_test(no_frame_exceeds_the_largest_size),
		cmocka_unit_test(unknown_fields_count_towards_the_size_of_the_protobuf_frame),
		cmocka_unit_test(the_last_reference_of_a_worker_frees_the_shared_frame),
		cmocka_unit_test(server_frames_have_the_fields_of_the_contract),
		cmocka_unit_test(server_frames_read_back_from_protobuf),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
