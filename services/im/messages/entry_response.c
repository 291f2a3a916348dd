#include "im/messages/entry_response.h"

#include "im/http/call.h"

void entry_response_put(struct buf *out, const struct entry_result *result)
{
	buf_append_char(out, '{');
	json_put_id_field(out, "msg_id", result->msg_id);
	json_put_field(out, "conversation_id", result->conversation_id);
	json_put_u64_field(out, "seq", (uint64_t)result->seq);
	json_put_u64_field(out, "time", (uint64_t)result->time);
	json_put_bool_field(out, "duplicate", result->is_duplicate);
	buf_append_char(out, '}');
}

void call_respond_entry(struct call *call, const struct entry_result *result)
{
	if (result->err) {
		call_fail(call, result->err, result->field, result->detail);
		return;
	}
	entry_response_put(call_out(call), result);
	call_ok(call, 200);
}
