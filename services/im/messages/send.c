#include "im/http/call.h"
#include "im/http/call_entry.h"
#include "im/messages/send_submit.h"

void messages_send_from(struct call *call, struct messages *messages, struct str uid)
{
	struct send_request send;
	uint64_t wait_ms;

	send_request_from_json(&send, call_json(call), call_error(call));
	struct entry_caller sender = call_entry_caller(call, call_respond_entry);
	sender.uid = uid;
	send_submit(messages, &sender, &send, call_error(call), &wait_ms);
	send_request_release(&send);
	call_retry_after(call, wait_ms);
	call_leave(call);
}

bool messages_check_send(struct call *call)
{
	struct send_request send;

	send_request_from_json(&send, call_json(call), call_error(call));
	send_request_release(&send);
	return call_check_reading(call);
}

void messages_send(struct call *call)
{
	messages_send_from(call, call_context(call), call_uid(call));
}
