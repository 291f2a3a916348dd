#include "gateway/wire/message_frame.h"

#include "base/clock.h"
#include "base/macros.h"
#include "base/telemetry/log.h"
#include "base/text/buf.h"
#include "base/text/decimal.h"
#include "base/text/json.h"
#include "base/text/utf8.h"
#include "gateway/wire/message_name.h"
#include "message/message_expiry.h"
#include "message/message_json.h"
#include "rpc/protobuf_wire.h"

/*
 *   JSON      {"type":"message","offset":"  17  ","message":{...}}
 *   protobuf  82 01 len                     17  12 len <Message>
 *             `--- head, per connection ------'`--- tail, shared ---'
 *
 * The field `offset` (16) comes before `message` (2): fields of a protobuf
 * message may come in any order. The frames for the sender's connections also have
 * client_msg_id, as the last field of the message.
 */

#define JSON_HEAD "{\"type\":\"message\",\"offset\":\""
#define JSON_TAIL_START "\",\"message\":"
#define JSON_TAIL_END "}"

#define PROTO_OFFSET_TAG "\x82\x01" /* field 16, length-delimited */
#define PROTO_MESSAGE 2 /* the number of the field */
#define PROTO_CLIENT_MSG_ID 15 /* of Message */

static void message_frame_put_proto_tail(struct buf *out, struct str message, struct str client_msg_id)
{
	struct buf own = { 0 };

	if (client_msg_id.len)
		wire_put_bytes(&own, PROTO_CLIENT_MSG_ID, client_msg_id);
	wire_put_bytes_head(out, PROTO_MESSAGE, message.len + own.len);
	buf_append_str(out, message);
	buf_append_str(out, buf_str(&own));
	buf_release(&own);
}

static void message_frame_put_json_tail(struct buf *out, struct str message_json, struct str client_msg_id)
{
	buf_append_text(out, JSON_TAIL_START);
	buf_append_str(out, str_of(message_json.ptr, message_json.len - 1)); /* without its closing brace */
	if (client_msg_id.len)
		json_put_field(out, "client_msg_id", client_msg_id);
	buf_append_text(out, "}" JSON_TAIL_END);
}

static bool message_frame_is_fit_to_show(const Skein__V1__Message *message)
{
	return *message->conversation_id && message->seq && *message->from && *message->type &&
	       (!*message->body || *message->body == '{') && !*message->client_msg_id;
}

/* Returns the length of the longest tail. */
static size_t message_frame_put_tails(struct buf *out, struct shared_frame_ends *ends, struct str message,
                                      struct str message_json, bool for_sender, struct str client_msg_id)
{
	size_t longest = 0, start = 0;

	for (int viewer = 0; viewer < VIEWER_COUNT; viewer++)
		for (int subprotocol = 0; subprotocol < SUBPROTOCOL_COUNT; subprotocol++) {
			struct str key = viewer == VIEWER_SENDER ? client_msg_id : STR("");

			if (viewer == VIEWER_SENDER && !for_sender)
				;
			else if (subprotocol == SUBPROTOCOL_JSON)
				message_frame_put_json_tail(out, message_json, key);
			else
				message_frame_put_proto_tail(out, message, key);
			ends->tails[viewer][subprotocol] = out->len;
			longest = MAX(longest, out->len - start);
			start = out->len;
		}
	return longest;
}

static struct shared_frame *message_frame_encode(const Skein__V1__Message *parsed, struct str message, bool for_sender,
                                                 struct str client_msg_id)
{
	struct shared_frame *frame = NULL;
	struct shared_frame_ends ends;
	struct buf json = { 0 }, bytes = { 0 };

	message_json(&json, parsed);
	if (utf8_is_valid(buf_str(&json)) && utf8_is_valid(client_msg_id)) {
		size_t longest = message_frame_put_tails(&bytes, &ends, message, buf_str(&json), for_sender, client_msg_id);

		buf_append_str(&bytes, client_msg_id);
		ends.client_msg_id = bytes.len;
		if (MESSAGE_HEAD_MAX + longest <= SHARED_FRAME_MAX)
			frame = shared_frame_new(buf_str(&bytes), &ends);
	}
	buf_release(&bytes);
	buf_release(&json);
	return frame;
}

/* The frame of a message that has expired: it is packed again, without the body. */
static struct shared_frame *message_frame_encode_expired(const Skein__V1__Message *shown, bool for_sender, struct str client_msg_id)
{
	struct buf packed = { 0 };
	size_t len = skein__v1__message__get_packed_size(shown);

	packed.len = skein__v1__message__pack(shown, (uint8_t *)buf_reserve(&packed, len));
	struct shared_frame *frame = message_frame_encode(shown, buf_str(&packed), for_sender, client_msg_id);
	buf_release(&packed);
	return frame;
}

struct shared_frame *message_frame_new(struct str message, bool for_sender, struct str client_msg_id)
{
	struct shared_frame *frame = NULL;
	Skein__V1__Message *parsed = skein__v1__message__unpack(NULL, message.len, (const uint8_t *)message.ptr);

	if (!parsed)
		return NULL;
	if (message_frame_is_fit_to_show(parsed)) {
		log_debug("message encoded", LOG_TEXT("conversation", parsed->conversation_id), LOG_U64("seq", parsed->seq));
		struct str key = for_sender ? client_msg_id : STR("");
		Skein__V1__Message shown = *parsed;
		if (message_expire(&shown, clock_wall_ms()))
			frame = message_frame_encode_expired(&shown, for_sender, key);
		else
			frame = message_frame_encode(parsed, message, for_sender, key);
	}
	if (frame)
		frame->name = message_name_new(parsed->conversation_id, parsed->seq, parsed->from);
	skein__v1__message__free_unpacked(parsed, NULL);
	return frame;
}

size_t message_frame_write(char *out, const struct shared_frame *frame, enum viewer viewer, enum subprotocol subprotocol,
                           uint64_t offset)
{
	char text[DECIMAL_SIZE];
	struct str tail = frame->tails[viewer][subprotocol], digits = decimal(text, offset);
	/* In protobuf a byte with the length of the offset follows the tag. */
	size_t head_len = subprotocol == SUBPROTOCOL_JSON ? sizeof(JSON_HEAD) - 1 : sizeof(PROTO_OFFSET_TAG) - 1 + 1;
	size_t len = head_len + digits.len + tail.len;
	char *at = out + ws_frame_header((unsigned char *)out, subprotocol_opcode(subprotocol), len);

	if (subprotocol == SUBPROTOCOL_JSON) {
		memcpy(at, JSON_HEAD, sizeof(JSON_HEAD) - 1);
	} else {
		memcpy(at, PROTO_OFFSET_TAG, sizeof(PROTO_OFFSET_TAG) - 1);
		at[head_len - 1] = (char)digits.len;
	}
	memcpy(at + head_len, digits.ptr, digits.len);
	memcpy(at + head_len + digits.len, tail.ptr, tail.len);
	return (size_t)(at - out) + len;
}
