#include "im/http/call.h"
#include "im/http/call_entry.h"
#include "im/messages/send_submit.h"

void messages_send(struct call *call)
{
	struct send_request send;
	uint64_t wait_ms;

	send_request_from_json(&send, call_json(call), call_error(call));
	const struct entry_caller sender = call_entry_caller(call, call_respond_entry);
	send_submit(call_context(call), &sender, &send, call_error(call), &wait_ms);
	send_request_release(&send);
	call_retry_after(call, wait_ms);
	call_leave(call);
}
