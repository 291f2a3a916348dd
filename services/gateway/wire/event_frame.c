#include "gateway/wire/event_frame.h"

#include "base/text/buf.h"
#include "base/text/ident.h"
#include "base/text/json.h"

/* The body's members, without its braces; false: it is no object. */
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

static void event_frame_put_proto(struct buf *out, const Skein__V1__Event *event)
{
	Skein__V1__ServerFrame frame = SKEIN__V1__SERVER_FRAME__INIT;

	frame.frame_case = SKEIN__V1__SERVER_FRAME__FRAME_EVENT;
	frame.event = (Skein__V1__Event *)event;
	size_t len = skein__v1__server_frame__get_packed_size(&frame);
	out->len += skein__v1__server_frame__pack(&frame, (uint8_t *)buf_reserve(out, len));
}

struct shared_frame *event_frame_new(const Skein__V1__Event *event)
{
	struct str kind = str_from(event->kind), body = str_from(event->body);
	struct shared_frame_ends ends;
	struct shared_frame *frame = NULL;
	struct buf bytes = { 0 };

	if (!ident_is_valid(kind) || skein__v1__event__get_packed_size(event) > EVENT_MAX)
		return NULL;
	buf_append_text(&bytes, "{\"type\":\"event\",\"kind\":");
	json_put_string(&bytes, kind);
	if (event_frame_put_members(&bytes, body)) {
		buf_append_char(&bytes, '}');
		ends.tails[VIEWER_OTHER][SUBPROTOCOL_JSON] = bytes.len;
		event_frame_put_proto(&bytes, event);
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
