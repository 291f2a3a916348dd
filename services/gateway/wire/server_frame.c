#include "gateway/wire/server_frame.h"

#include <assert.h>

#include "base/text/json.h"

const char *const subprotocol_names[SUBPROTOCOL_COUNT] = { "skein.v1.json", "skein.v1.proto" };

static void server_frame_put_text(struct buf *out, const char *key, const char *text)
{
	json_put_field(out, key, str_from(text));
}

static void server_frame_put_text_if_set(struct buf *out, const char *key, const char *text)
{
	if (*text)
		server_frame_put_text(out, key, text);
}

static void server_frame_put_members(struct buf *out, const Skein__V1__ServerFrame *frame)
{
	switch (frame->frame_case) {
	case SKEIN__V1__SERVER_FRAME__FRAME_HELLO:
		server_frame_put_text(out, "type", "hello");
		server_frame_put_text(out, "node", frame->hello->node);
		server_frame_put_text(out, "conn", frame->hello->conn);
		server_frame_put_text(out, "uid", frame->hello->uid);
		server_frame_put_text(out, "device", frame->hello->device);
		json_put_u64_field(out, "heartbeat_s", frame->hello->heartbeat_s);
		server_frame_put_text(out, "epoch", frame->hello->epoch);
		server_frame_put_text(out, "head", frame->hello->head);
		break;
	case SKEIN__V1__SERVER_FRAME__FRAME_ACK:
		server_frame_put_text(out, "type", "ack");
		server_frame_put_text(out, "rid", frame->ack->rid);
		json_put_id_field(out, "msg_id", frame->ack->msg_id);
		server_frame_put_text(out, "conversation_id", frame->ack->conversation_id);
		json_put_u64_field(out, "seq", frame->ack->seq);
		json_put_u64_field(out, "time", frame->ack->time);
		json_put_bool_field(out, "duplicate", frame->ack->duplicate);
		break;
	case SKEIN__V1__SERVER_FRAME__FRAME_OK:
		server_frame_put_text(out, "type", "ok");
		server_frame_put_text(out, "rid", frame->ok->rid);
		break;
	case SKEIN__V1__SERVER_FRAME__FRAME_ERROR:
		server_frame_put_text(out, "type", "error");
		server_frame_put_text_if_set(out, "rid", frame->error->rid);
		server_frame_put_text(out, "code", frame->error->code);
		server_frame_put_text(out, "message", frame->error->message);
		break;
	case SKEIN__V1__SERVER_FRAME__FRAME_RESYNC:
		server_frame_put_text(out, "type", "resync");
		server_frame_put_text(out, "epoch", frame->resync->epoch);
		break;
	case SKEIN__V1__SERVER_FRAME__FRAME_SYNC_MORE:
		server_frame_put_text(out, "type", "sync_more");
		server_frame_put_text(out, "next_offset", frame->sync_more->next_offset);
		break;
	case SKEIN__V1__SERVER_FRAME__FRAME_RECONNECT:
		server_frame_put_text(out, "type", "reconnect");
		json_put_u64_field(out, "after_ms", frame->reconnect->after_ms);
		server_frame_put_text_if_set(out, "url", frame->reconnect->url);
		break;
	case SKEIN__V1__SERVER_FRAME__FRAME_PONG:
		server_frame_put_text(out, "type", "pong");
		break;
	default:
		assert(!"a frame that server_frame() encodes");
	}
}

struct payload *server_frame(enum subprotocol subprotocol, const Skein__V1__ServerFrame *frame)
{
	if (subprotocol == SUBPROTOCOL_PROTO) {
		struct payload *payload = payload_alloc((uint32_t)skein__v1__server_frame__get_packed_size(frame));
		skein__v1__server_frame__pack(frame, (uint8_t *)payload->bytes);
		return payload;
	}
	struct buf json = { 0 };
	buf_append_char(&json, '{');
	server_frame_put_members(&json, frame);
	buf_append_char(&json, '}');
	struct payload *payload = payload_new(buf_str(&json));
	buf_release(&json);
	return payload;
}
