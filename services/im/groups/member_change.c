/* Changes to a group's members over HTTP. group_change.h makes the entries; the database decides who may do what. */

#include "im/groups/group_call.h"

#define UNTIL_MAX 253402300799999 /* milliseconds since 1970: the end of the year 9999 */

static struct str member_change_join(struct call *call, const struct ident_list *uids)
{
	struct buf joined = { 0 };

	for (size_t i = 0; i < uids->count; i++) {
		if (i)
			buf_append_char(&joined, ',');
		buf_append_str(&joined, uids->idents[i]);
	}
	return call_keep(call, &joined);
}

void groups_add_members(struct call *call)
{
	struct str gid = call_path_ident(call, "gid");
	const struct im_config *config = ((const struct groups *)call_context(call))->config;
	struct ident_list uids = call_ident_list(call, "uids", JSON_REQUIRED, (size_t)config->limits_group_create_members);

	if (uids.count == 0)
		call_reject(call, ERR_INVALID_ARGUMENT, "uids", "uids must have at least one item");
	const struct change_terms terms = { .subject = member_change_join(call, &uids),
		                            .numbers = { config->limits_group_members, config->limits_groups } };
	group_call_submit(call, gid, GROUP_ADD, &terms, group_call_on_changed);
}

void groups_remove_member(struct call *call)
{
	struct str gid = call_path_ident(call, "gid");
	const struct change_terms terms = { .subject = call_path_ident(call, "uid") };

	group_call_submit(call, gid, GROUP_REMOVE, &terms, group_call_on_changed);
}

void groups_leave(struct call *call)
{
	struct str gid = call_path_ident(call, "gid");
	const struct change_terms terms = { .subject = call_uid(call) };

	group_call_submit(call, gid, GROUP_REMOVE, &terms, group_call_on_changed);
}

void groups_set_role(struct call *call)
{
	struct str gid = call_path_ident(call, "gid");
	static const char *const roles[] = { [GROUP_MEMBER] = "member", [GROUP_ADMIN] = "admin", NULL };
	struct str uid = call_path_ident(call, "uid");
	const char *role = call_choice(call, "role", JSON_REQUIRED, roles);
	const struct im_config *config = ((const struct groups *)call_context(call))->config;
	const struct change_terms terms = { .subject = uid,
		                            .numbers = { role == roles[GROUP_ADMIN] ? GROUP_ADMIN : GROUP_MEMBER,
		                                         config->limits_group_admins } };

	group_call_submit(call, gid, GROUP_SET_ROLE, &terms, group_call_on_changed);
}

void groups_mute_member(struct call *call)
{
	struct str gid = call_path_ident(call, "gid");
	struct str uid = call_path_ident(call, "uid");
	const struct change_terms terms = { .subject = uid,
		                            .numbers = { call_int(call, "until", JSON_REQUIRED, 0, UNTIL_MAX) } };

	group_call_submit(call, gid, GROUP_MUTE, &terms, group_call_on_changed);
}

void groups_hand_over(struct call *call)
{
	struct str gid = call_path_ident(call, "gid");
	const struct im_config *config = ((const struct groups *)call_context(call))->config;
	const struct change_terms terms = { .subject = call_ident(call, "uid", JSON_REQUIRED),
		                            .numbers = { config->limits_group_admins } };

	group_call_submit(call, gid, GROUP_HAND_OVER, &terms, group_call_on_changed);
}
