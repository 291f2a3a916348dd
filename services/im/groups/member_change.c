/* Changes to a group's members over HTTP. group_change.h makes the entries; the database decides who may do what. */

#include "im/events/events.h"
#include "im/groups/group_change.h"
#include "im/groups/groups.h"
#include "im/http/call.h"
#include "im/http/call_entry.h"
#include "im/stored/uid_list.h"

/* Sends an event to the users whom the change added or removed. */
static void member_change_tell(struct call *call, const char *op, struct str list)
{
	const struct groups *groups = call_context(call);
	size_t count = uid_list_count(list);
	struct str *uids = call_alloc(call, count * sizeof(*uids));
	struct buf body = { 0 };

	for (size_t i = 0; i < count; i++)
		uids[i] = str_cut(&list, ',');
	buf_append_char(&body, '{');
	json_put_field(&body, "op", str_from(op));
	json_put_field(&body, "group_id", call_path_text(call, "gid"));
	buf_append_char(&body, '}');
	const struct event event = { uids, count, "group", buf_str(&body), call_trace(call) };
	events_emit(groups->events, &event);
	buf_release(&body);
}

static void member_change_on_decided(void *arg, const struct entry_result *result)
{
	struct call *call = arg;

	if (result->err) {
		call_fail(call, result->err, result->field, result->detail);
		return;
	}
	member_change_tell(call, "added", result->joined);
	member_change_tell(call, "removed", result->left);
	call_no_content(call);
}

void groups_add_members(struct call *call)
{
	const struct groups *groups = call_context(call);
	const struct entry_caller actor = call_entry_caller(call, member_change_on_decided);
	struct str gid = call_path_ident(call, "gid");
	struct ident_list uids = call_ident_list(call, "uids", JSON_REQUIRED, (size_t)groups->config->limits_group_create_members);

	if (uids.count == 0)
		call_reject(call, ERR_INVALID_ARGUMENT, "uids", "uids must have at least one item");
	if (call_finish_reading(call))
		call_submit_entry(call, groups->entries,
		                  group_add_new(gid, uids.idents, uids.count, groups->config->limits_group_members, &actor));
}

void groups_remove_member(struct call *call)
{
	const struct groups *groups = call_context(call);
	const struct entry_caller actor = call_entry_caller(call, member_change_on_decided);
	struct str gid = call_path_ident(call, "gid"), uid = call_path_ident(call, "uid");

	if (call_finish_reading(call))
		call_submit_entry(call, groups->entries, group_remove_new(gid, uid, &actor));
}

void groups_leave(struct call *call)
{
	const struct groups *groups = call_context(call);
	const struct entry_caller actor = call_entry_caller(call, member_change_on_decided);
	struct str gid = call_path_ident(call, "gid");

	if (call_finish_reading(call))
		call_submit_entry(call, groups->entries, group_remove_new(gid, call_uid(call), &actor));
}

void groups_set_role(struct call *call)
{
	static const char *const roles[] = { [GROUP_MEMBER] = "member", [GROUP_ADMIN] = "admin", NULL };
	const struct groups *groups = call_context(call);
	const struct entry_caller actor = call_entry_caller(call, member_change_on_decided);
	struct str gid = call_path_ident(call, "gid"), uid = call_path_ident(call, "uid");
	const char *role = call_choice(call, "role", JSON_REQUIRED, roles);

	if (call_finish_reading(call))
		call_submit_entry(call, groups->entries,
		                  group_role_new(gid, uid, role == roles[GROUP_ADMIN] ? GROUP_ADMIN : GROUP_MEMBER, &actor));
}
