#include "im/groups/group_call.h"

#include "im/events/events.h"
#include "im/stored/uid_list.h"

void group_call_emit(struct call *call, struct str gid, const char *op, struct str list)
{
	const struct groups *groups = call_context(call);
	size_t count = uid_list_count(list);
	struct str *uids = call_alloc(call, count * sizeof(*uids));
	struct buf body = { 0 };

	for (size_t i = 0; i < count; i++)
		uids[i] = str_cut(&list, ',');
	buf_append_char(&body, '{');
	json_put_field(&body, "op", str_from(op));
	json_put_field(&body, "group_id", gid);
	buf_append_char(&body, '}');
	const struct event event = {
		.uids = uids, .uid_count = count, .kind = "group", .body = buf_str(&body), .traceparent = call_trace(call),
	};
	events_emit(groups->events, &event);
	buf_release(&body);
}

bool group_call_tell(struct call *call, const struct entry_result *result)
{
	if (result->err) {
		call_fail(call, result->err, result->field, result->detail);
		return false;
	}
	group_call_emit(call, call_path_text(call, "gid"), "added", result->joined);
	group_call_emit(call, call_path_text(call, "gid"), "removed", result->left);
	return true;
}

void group_call_on_changed(void *arg, const struct entry_result *result)
{
	struct call *call = arg;

	if (group_call_tell(call, result))
		call_no_content(call);
}

void group_call_submit(struct call *call, struct str gid, enum group_action action,
                       const struct change_terms *terms, entry_done done)
{
	const struct groups *groups = call_context(call);
	const struct entry_caller actor = call_entry_caller(call, done);

	if (call_finish_reading(call))
		call_submit_entry(call, groups->entries, group_change_new(action, gid, terms, &actor));
}
