#include "gateway/wire/event_frame.h"

#include "base/text/buf.h"
#include "base/text/ident.h"
#include "base/text/json.h"
#include "rpc/protobuf_wire.h"

/* Appends a comma and the members of the body. False: the body is not an object, or has a member `type` or `kind`. */
static bool event_frame_put_members(struct buf *out, struct str body)
{
	struct json_error error = { 0 };
	json_t *object = body.len ? json_read(body, &error) : json_object();
	bool is_good = object && !json_object_get(object, "type") && !json_object_get(object, "kind");

	if (is_good && json_object_size(object)) {
		struct buf text = { 0 };

		json_dump_compact(&text, object);
		buf_append_char(out, ',');
		buf_append_str(out, str_of(text.ptr + 1, text.len - 2));
		buf_release(&text);
	}
	json_decref(object);
	return is_good;
}

struct shared_frame *event_frame_new(const Skein__V1__Event *event)
{
	struct str kind = str_from(event->kind), body = str_from(event->body);
	size_t packed_size = skein__v1__event__get_packed_size(event);
	struct shared_frame_ends ends;
	struct shared_frame *frame = NULL;
	struct buf bytes = { 0 };

	if (!ident_is_valid(kind) || packed_size > EVENT_MAX)
		return NULL;
	buf_append_text(&bytes, "{\"type\":\"event\",\"kind\":");
	json_put_string(&bytes, kind);
	if (event_frame_put_members(&bytes, body)) {
		buf_append_char(&bytes, '}');
		ends.tails[VIEWER_OTHER][SUBPROTOCOL_JSON] = bytes.len;
		wire_put_bytes_head(&bytes, SKEIN__V1__SERVER_FRAME__FRAME_EVENT, packed_size);
		bytes.len += skein__v1__event__pack(event, (uint8_t *)buf_reserve(&bytes, packed_size));
		ends.tails[VIEWER_OTHER][SUBPROTOCOL_PROTO] = bytes.len;
		ends.tails[VIEWER_SENDER][SUBPROTOCOL_JSON] = ends.tails[VIEWER_SENDER][SUBPROTOCOL_PROTO] = bytes.len;
		ends.client_msg_id = bytes.len;
		frame = shared_frame_new(buf_str(&bytes), &ends);
	}
	buf_release(&bytes);
	return frame;
}

size_t event_frame_write(char *out, const struct shared_frame *frame, enum subprotocol subprotocol)
{
	struct str tail = frame->tails[VIEWER_OTHER][subprotocol];
	size_t header = ws_frame_header((unsigned char *)out, subprotocol_opcode(subprotocol), tail.len);

	memcpy(out + header, tail.ptr, tail.len);
	return header + tail.len;
}
