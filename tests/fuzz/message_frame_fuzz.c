#include "gateway/wire/message_frame.h"

#include "base/text/json.h"
#include "base/mem.h"
#include "proto/client.pb-c.h"
#include "tests/fuzz/fuzz.h"

/*
 * A message on its way to clients. The first byte says whether the sender is
 * among them, how long a client_msg_id it has, and how many unknown bytes a later
* version has put into the message; the rest is the serialized Message. In both
 * subprotocols the frame holds the message and is not larger than a frame may be.
 */

#define OFFSET 18446744073709551615ull
#define OFFSET_TEXT "18446744073709551615"
#define UNKNOWN_FIELD "\xba\x3e" /* 999, length-delimited */

static void put_varint(struct buf *out, size_t number)
{
	for (; number >= 0x80; number >>= 7)
		buf_append_char(out, (char)(number | 0x80));
	buf_append_char(out, (char)number);
}

/* The payload of a whole frame. */
static struct str open_frame(struct str frame, enum ws_opcode opcode)
{
	unsigned char header[WS_HEADER_MAX];

	for (size_t at = 2; at <= WS_HEADER_MAX; at++) {
		size_t header_len = at <= frame.len ? ws_frame_header(header, opcode, frame.len - at) : 0;
		if (header_len == at && memcmp(header, frame.ptr, at) == 0)
			return str_of(frame.ptr + at, frame.len - at);
	}
	fuzz_broken(__FILE__, __LINE__, "a frame has a header that fits it");
}

static bool is_object(const char *text)
{
	json_t *object = json_loads(text, 0, NULL);

	json_decref(object);
	return object;
}

static void check_json(struct str payload, const Skein__V1__Message *message, struct str client_msg_id)
{
	json_t *frame = json_loadb(payload.ptr, payload.len, 0, NULL);

	/* The body is passed on unchanged: im has checked it. */
	if (*message->body && !is_object(message->body)) {
		json_decref(frame);
		return;
	}
	CHECK(frame);
	const json_t *shown = json_object_get(frame, "message");
	CHECK(!strcmp(json_string_value(json_object_get(frame, "type")), "message"));
	CHECK(!strcmp(json_string_value(json_object_get(frame, "offset")), OFFSET_TEXT));
	CHECK(!strcmp(json_string_value(json_object_get(shown, "from")), message->from));
	const json_t *key = json_object_get(shown, "client_msg_id");
	CHECK(str_equal(str_of(json_string_value(key), json_string_length(key)), client_msg_id));
	json_decref(frame);
}

static void check_proto(struct str payload, const Skein__V1__Message *message, struct str client_msg_id)
{
	Skein__V1__ServerFrame *frame =
		skein__v1__server_frame__unpack(NULL, payload.len, (const uint8_t *)payload.ptr);

	CHECK(frame && frame->frame_case == SKEIN__V1__SERVER_FRAME__FRAME_MESSAGE);
	CHECK(!strcmp(frame->offset, OFFSET_TEXT));
	CHECK(frame->message->seq == message->seq && !strcmp(frame->message->from, message->from));
	CHECK(frame->message->n_mentions == message->n_mentions);
	CHECK(str_equal(str_from(frame->message->client_msg_id), client_msg_id));
	skein__v1__server_frame__free_unpacked(frame, NULL);
}

static void check_frame(const struct shared_frame *shared, enum viewer viewer, enum subprotocol subprotocol,
                        const Skein__V1__Message *message, struct str client_msg_id)
{
	size_t max = message_frame_max(shared, viewer, subprotocol);
	char *frame = mem_alloc(max);
	size_t len = message_frame_write(frame, shared, viewer, subprotocol, OFFSET);

	CHECK(len <= max && len <= SHARED_FRAME_MAX);
	struct str payload = open_frame(str_of(frame, len), subprotocol_opcode(subprotocol));
	if (subprotocol == SUBPROTOCOL_JSON)
		check_json(payload, message, client_msg_id);
	else
		check_proto(payload, message, client_msg_id);
	mem_free(frame);
}

static void check_frames(const struct shared_frame *shared, struct str bytes, bool for_sender, struct str client_msg_id)
{
	Skein__V1__Message *message = skein__v1__message__unpack(NULL, bytes.len, (const uint8_t *)bytes.ptr);

	CHECK(message);
	for (int subprotocol = 0; subprotocol < SUBPROTOCOL_COUNT; subprotocol++) {
		check_frame(shared, VIEWER_OTHER, subprotocol, message, STR(""));
		if (for_sender)
			check_frame(shared, VIEWER_SENDER, subprotocol, message, client_msg_id);
		else
			CHECK(shared->tails[VIEWER_SENDER][subprotocol].len == 0);
	}
	skein__v1__message__free_unpacked(message, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static const size_t lengths[] = { 0, 1, 64, 70000 };
	struct str input = str_of(bytes, len);
	unsigned choice = fuzz_byte(&input);
	bool for_sender = choice & 1;
	size_t key_len = lengths[choice >> 1 & 3], unknown_len = (choice >> 3 & 7) * 50000;
	struct buf message = { 0 }, key = { 0 };

	buf_append_str(&message, input);
	if (unknown_len) {
		buf_append_text(&message, UNKNOWN_FIELD);
		put_varint(&message, unknown_len);
		memset(buf_reserve(&message, unknown_len), 'u', unknown_len);
		message.len += unknown_len;
	}
	memset(buf_reserve(&key, key_len), choice & 64 ? '"' : 'k', key_len);
	key.len = key_len;
	struct shared_frame *shared = message_frame_new(buf_str(&message), for_sender, buf_str(&key));
	if (shared) {
		check_frames(shared, buf_str(&message), for_sender, buf_str(&key));
		shared_frame_unref(shared);
	}
	buf_release(&message);
	buf_release(&key);
	return 0;
}
