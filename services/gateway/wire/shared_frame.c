#include "gateway/wire/shared_frame.h"

#include "base/text/buf.h"
#include "base/text/json.h"
#include "base/telemetry/log.h"
#include "base/macros.h"
#include "base/mem.h"
#include "base/text/utf8.h"
#include "message/message_json.h"

/*
 *   JSON      {"type":"message","offset":"  17  ","message":{...}}
 *   protobuf  82 01 len                     17  12 len <Message>
 *             `--- head, per connection ------'`--- tail, shared ---'
 *
 * The field `offset` (16) comes before `message` (2): fields of a protobuf
 * message may come in any order. Own frames carry client_msg_id, the last field
 * of the message in either form, so they are the others' with a piece put in.
 */

#define JSON_HEAD "{\"type\":\"message\",\"offset\":\""
#define JSON_TAIL_START "\",\"message\":"
#define JSON_TAIL_END "}"

#define PROTO_OFFSET_TAG "\x82\x01" /* field 16, length-delimited */
#define PROTO_MESSAGE_TAG '\x12' /* field 2, length-delimited */
#define PROTO_CLIENT_MSG_ID_TAG '\x7a' /* field 15 of Message, length-delimited */

static void put_varint(struct buf *out, uint64_t number)
{
	for (; number >= 0x80; number >>= 7)
		buf_append_char(out, (char)(number | 0x80));
	buf_append_char(out, (char)number);
}

static void put_proto_tail(struct buf *out, struct str message, struct str client_msg_id)
{
	struct buf own = { 0 };

	if (client_msg_id.len) {
		buf_append_char(&own, PROTO_CLIENT_MSG_ID_TAG);
		put_varint(&own, client_msg_id.len);
		buf_append_str(&own, client_msg_id);
	}
	buf_append_char(out, PROTO_MESSAGE_TAG);
	put_varint(out, message.len + own.len);
	buf_append_str(out, message);
	buf_append_str(out, buf_str(&own));
	buf_release(&own);
}

static void put_json_tail(struct buf *out, struct str message_json, struct str client_msg_id)
{
	struct str open = str_of(message_json.ptr, message_json.len - 1); /* without its closing brace */

	buf_append_text(out, JSON_TAIL_START);
	buf_append_str(out, open);
	if (client_msg_id.len)
		json_put_field(out, "client_msg_id", client_msg_id);
	buf_append_text(out, "}" JSON_TAIL_END);
}

static bool is_fit_to_show(const Skein__V1__Message *message)
{
	return *message->conversation_id && message->seq && *message->from && *message->type &&
	       (!*message->body || *message->body == '{') && !*message->client_msg_id;
}

/* Where each part stands in the buffer; the buffer moves while it grows, so pointers come at the end. */
struct parts {
	struct buf bytes;
	size_t ends[AUDIENCE_COUNT][SUBPROTOCOL_COUNT];
};

static void put_parts(struct parts *parts, struct str message, struct str message_json, bool for_own,
                      struct str client_msg_id)
{
	for (int audience = 0; audience < AUDIENCE_COUNT; audience++) {
		bool is_own = audience == AUDIENCE_OWN;
		struct str shown = is_own ? client_msg_id : STR("");

		if (!is_own || for_own)
			put_json_tail(&parts->bytes, message_json, shown);
		parts->ends[audience][SUBPROTOCOL_JSON] = parts->bytes.len;
		if (!is_own || for_own)
			put_proto_tail(&parts->bytes, message, shown);
		parts->ends[audience][SUBPROTOCOL_PROTO] = parts->bytes.len;
	}
	buf_append_str(&parts->bytes, client_msg_id);
}

static size_t longest_tail(const struct parts *parts)
{
	size_t start = 0, longest = 0;

	for (int audience = 0; audience < AUDIENCE_COUNT; audience++)
		for (int subprotocol = 0; subprotocol < SUBPROTOCOL_COUNT; subprotocol++) {
			longest = MAX(longest, parts->ends[audience][subprotocol] - start);
			start = parts->ends[audience][subprotocol];
		}
	return longest;
}

static struct fanout *fanout_of(const struct parts *parts, struct str client_msg_id)
{
	struct fanout *fanout = mem_alloc(sizeof(*fanout) + parts->bytes.len);
	size_t start = 0;

	atomic_init(&fanout->refs, 1);
	memcpy(fanout->bytes, parts->bytes.ptr, parts->bytes.len);
	for (int audience = 0; audience < AUDIENCE_COUNT; audience++)
		for (int subprotocol = 0; subprotocol < SUBPROTOCOL_COUNT; subprotocol++) {
			size_t end = parts->ends[audience][subprotocol];
			fanout->tails[audience][subprotocol] = str_of(fanout->bytes + start, end - start);
			start = end;
		}
	fanout->client_msg_id = str_of(fanout->bytes + start, client_msg_id.len);
	return fanout;
}

struct fanout *fanout_new(struct str message, bool for_own, struct str client_msg_id)
{
	struct fanout *fanout = NULL;
	struct parts parts = { 0 };
	struct buf json = { 0 };

	Skein__V1__Message *parsed = skein__v1__message__unpack(NULL, message.len, (const uint8_t *)message.ptr);
	if (!parsed)
		return NULL;
	if (!is_fit_to_show(parsed))
		goto out;
	log_debug("written out", LOG_TEXT("conversation", parsed->conversation_id), LOG_U64("seq", parsed->seq));
	if (!for_own)
		client_msg_id = STR("");
	message_json(&json, parsed);
	if (!utf8_is_valid(buf_str(&json)) || !utf8_is_valid(client_msg_id))
		goto out;
	put_parts(&parts, message, buf_str(&json), for_own, client_msg_id);
	if (FANOUT_HEAD_MAX + longest_tail(&parts) <= FANOUT_FRAME_MAX)
		fanout = fanout_of(&parts, client_msg_id);
out:
	skein__v1__message__free_unpacked(parsed, NULL);
	buf_release(&parts.bytes);
	buf_release(&json);
	return fanout;
}

struct fanout *fanout_ref(struct fanout *fanout)
{
	atomic_fetch_add_explicit(&fanout->refs, 1, memory_order_relaxed);
	return fanout;
}

void fanout_unref(struct fanout *fanout)
{
	if (atomic_fetch_sub_explicit(&fanout->refs, 1, memory_order_acq_rel) == 1)
		mem_free(fanout);
}

struct fanout_share *fanout_share_new(struct fanout *fanout)
{
	struct fanout_share *share = mem_alloc(sizeof(*share));

	share->fanout = fanout_ref(fanout);
	share->refs = 1;
	return share;
}

void fanout_share_free(struct fanout_share *share)
{
	fanout_unref(share->fanout);
	mem_free(share);
}

static size_t digit_count(uint64_t number)
{
	size_t digits = 1;

	for (; number >= 10; number /= 10)
		digits++;
	return digits;
}

static size_t head_len(enum subprotocol subprotocol, size_t digits)
{
	if (subprotocol == SUBPROTOCOL_JSON)
		return sizeof(JSON_HEAD) - 1 + digits;
	return sizeof(PROTO_OFFSET_TAG) - 1 + 1 + digits;
}

static char *write_head(char *out, enum subprotocol subprotocol, uint64_t offset, size_t digits)
{
	if (subprotocol == SUBPROTOCOL_JSON) {
		memcpy(out, JSON_HEAD, sizeof(JSON_HEAD) - 1);
		out += sizeof(JSON_HEAD) - 1;
	} else {
		memcpy(out, PROTO_OFFSET_TAG, sizeof(PROTO_OFFSET_TAG) - 1);
		out += sizeof(PROTO_OFFSET_TAG) - 1;
		*out++ = (char)digits;
	}
	for (char *digit = out + digits; digit > out; offset /= 10)
		*--digit = (char)('0' + offset % 10);
	return out + digits;
}

size_t fanout_frame_write(char *out, const struct fanout *fanout, enum audience audience, enum subprotocol subprotocol,
                          uint64_t offset)
{
	struct str tail = fanout->tails[audience][subprotocol];
	size_t digits = digit_count(offset);
	char *at = out;

	at += ws_frame_header((unsigned char *)at, subprotocol_opcode(subprotocol), head_len(subprotocol, digits) + tail.len);
	at = write_head(at, subprotocol, offset, digits);
	memcpy(at, tail.ptr, tail.len);
	return (size_t)(at - out) + tail.len;
}
