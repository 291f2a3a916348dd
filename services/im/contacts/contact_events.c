#include "im/contacts/contacts.h"
#include "im/events/events.h"

static void contact_event_emit(struct call *call, struct str to, struct str about, const char *op, struct str request_id)
{
	const struct contacts *contacts = call_context(call);
	struct buf body = { 0 };

	buf_append_char(&body, '{');
	json_put_field(&body, "op", str_from(op));
	json_put_field(&body, "uid", about);
	if (request_id.len)
		json_put_field(&body, "request_id", request_id);
	buf_append_char(&body, '}');
	const struct event event = {
		.uids = &to, .uid_count = 1, .kind = "friend", .body = buf_str(&body), .traceparent = call_trace(call),
	};
	events_emit(contacts->events, &event);
	buf_release(&body);
}

void contacts_tell(struct call *call, struct str other, const char *op, struct str request_id)
{
	contact_event_emit(call, other, call_uid(call), op, request_id);
	contact_event_emit(call, call_uid(call), other, op, request_id);
}
