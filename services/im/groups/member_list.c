#include "im/groups/groups.h"
#include "im/http/call.h"
#include "im/http/page.h"

/* caller, group, after or '', limit -> verdict, then a member or NULLs */
static const struct pg_statement member_list = {
	"members",
	"select verdict, uid, role, muted_until from fn.members($1::text, $2::text, $3::text, $4::integer)",
};

enum member_column { MEMBER_VERDICT, MEMBER_UID, MEMBER_ROLE, MEMBER_MUTED_UNTIL };

static const struct call_reason member_list_reasons[] = {
	{ ERR_NOT_FOUND, NULL, "there is no such group" },
	{ ERR_NOT_MEMBER, NULL, "only members may see who is in a group" },
	{ .err = OK },
};

static void member_put(struct buf *out, const PGresult *result, int row)
{
	static const char *const roles[] = { "member", "admin", "owner" };

	buf_append_char(out, '{');
	json_put_field(out, "uid", pg_text(result, row, MEMBER_UID));
	json_put_field(out, "role", str_from(roles[pg_i64(result, row, MEMBER_ROLE)]));
	if (pg_i64(result, row, MEMBER_MUTED_UNTIL) > 0)
		json_put_u64_field(out, "muted_until", (uint64_t)pg_i64(result, row, MEMBER_MUTED_UNTIL));
	buf_append_char(out, '}');
}

static const struct paged_list members = { &member_list, "members", .key = MEMBER_UID, .put = member_put };

void groups_list_members(struct call *call)
{
	struct pg_params params = { 0 };

	pg_put_text(&params, call_uid(call));
	pg_put_text(&params, call_path_ident(call, "gid"));
	call_explain(call, member_list_reasons);
	call_list(call, &members, &params);
}
