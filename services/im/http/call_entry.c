#include "im/http/call_entry.h"

#include "im/http/call.h"

struct entry_caller call_entry_caller(struct call *call, entry_done done)
{
	return (struct entry_caller){ call_uid(call), call_trace(call), done, call };
}

void call_submit_entry(struct call *call, struct entry_writer *writer, struct entry *entry)
{
	err_t err = entry_writer_submit(writer, entry);

	if (err)
		call_reject(call, err, NULL, "changes cannot be stored at the moment");
	call_leave(call);
}

/* The most bytes of the answer besides the conversation's id. With them the memory is allocated once. */
#define ANSWER_ROOM 160

void entry_result_put(struct buf *out, const struct entry_result *result)
{
	(void)buf_reserve(out, ANSWER_ROOM + result->conversation_id.len);
	buf_append_char(out, '{');
	json_put_id_field(out, "msg_id", result->msg_id);
	json_put_field(out, "conversation_id", result->conversation_id);
	json_put_u64_field(out, "seq", (uint64_t)result->seq);
	json_put_u64_field(out, "time", (uint64_t)result->time);
	json_put_bool_field(out, "duplicate", result->is_duplicate);
	buf_append_char(out, '}');
}

void call_respond_entry(void *arg, const struct entry_result *result)
{
	struct call *call = arg;

	if (result->err) {
		call_fail(call, result->err, result->field, result->detail);
		return;
	}
	entry_result_put(call_out(call), result);
	call_ok(call, 200);
}
