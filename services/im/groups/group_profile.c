/* What a group is: read, changed, ended. */

#include "base/text/utf8.h"
#include "im/groups/group_call.h"
#include "im/groups/group_head.h"

/* caller, gid -> as fn.group_profile() */
static const struct pg_statement group_profile = {
	"group_profile",
	"select verdict, name, owner, join_mode, history_mode, member_count, avatar, announcement, is_muted, created_at"
	" from fn.group_profile($1::text, $2::text)",
};

#define ANNOUNCEMENT_MAX_CHARACTERS 4000
#define ANNOUNCEMENT_MAX_BYTES (4 * ANNOUNCEMENT_MAX_CHARACTERS)

static const struct call_reason group_profile_reasons[] = {
	{ ERR_NOT_FOUND, NULL, "there is no such group" },
	{ ERR_NOT_MEMBER, NULL, "only members may see a group" },
	{ .err = OK },
};

static void group_profile_on_row(struct call *call, const PGresult *result)
{
	enum { VERDICT, NAME, OWNER, JOIN, HISTORY, MEMBER_COUNT, AVATAR, ANNOUNCEMENT, IS_MUTED, CREATED_AT };
	struct str avatar = pg_text(result, 0, AVATAR), announcement = pg_text(result, 0, ANNOUNCEMENT);
	struct group_head head = {
		.gid = call_path_text(call, "gid"),
		.name = pg_text(result, 0, NAME),
		.owner = pg_text(result, 0, OWNER),
		.join = pg_text(result, 0, JOIN),
		.history = pg_text(result, 0, HISTORY),
		.member_count = (uint64_t)pg_i64(result, 0, MEMBER_COUNT),
	};
	struct buf *out = call_out(call);

	buf_append_char(out, '{');
	group_head_put(out, &head);
	if (avatar.len)
		json_put_field(out, "avatar", avatar);
	if (announcement.len)
		json_put_field(out, "announcement", announcement);
	json_put_bool_field(out, "muted_all", pg_bool(result, 0, IS_MUTED));
	json_put_u64_field(out, "created_at", (uint64_t)pg_i64(result, 0, CREATED_AT));
	buf_append_char(out, '}');
	call_ok(call, 200);
}

static void group_profile_answer(struct call *call)
{
	struct pg_params params = { 0 };

	pg_put_text(&params, call_uid(call));
	pg_put_text(&params, call_path_ident(call, "gid"));
	call_explain(call, group_profile_reasons);
	call_query(call, &group_profile, &params, group_profile_on_row);
}

/* ---- GET /v1/groups/{gid} ---- */

void groups_get(struct call *call)
{
	group_profile_answer(call);
}

/* ---- PATCH /v1/groups/{gid} ---- */

static void group_profile_on_changed(void *arg, const struct entry_result *result)
{
	struct call *call = arg;

	if (group_call_tell(call, result))
		group_profile_answer(call);
}

static void group_profile_put_text(struct buf *out, const char *field, struct str text)
{
	if (text.ptr)
		json_put_field(out, field, text);
}

static void group_profile_put_choice(struct call *call, struct buf *out, const char *field, const char *const *choices)
{
	if (call_has(call, field))
		json_put_field(out, field, str_from(call_choice(call, field, JSON_OPTIONAL, choices)));
}

static struct str group_profile_read_announcement(struct call *call)
{
	struct str announcement = call_removable_text(call, "announcement", ANNOUNCEMENT_MAX_BYTES);

	if (announcement.ptr && utf8_length(announcement) > ANNOUNCEMENT_MAX_CHARACTERS)
		call_reject(call, ERR_INVALID_ARGUMENT, "announcement", "announcement must have at most %d characters",
		            ANNOUNCEMENT_MAX_CHARACTERS);
	return announcement;
}

void groups_change(struct call *call)
{
	struct str gid = call_path_ident(call, "gid");
	struct buf changes = { 0 };

	buf_append_char(&changes, '{');
	group_profile_put_text(&changes, "name", call_name(call, "name", JSON_OPTIONAL));
	group_profile_put_text(&changes, "avatar", call_removable_text(call, "avatar", AVATAR_MAX_BYTES));
	group_profile_put_text(&changes, "announcement", group_profile_read_announcement(call));
	group_profile_put_choice(call, &changes, "join", group_join_modes);
	group_profile_put_choice(call, &changes, "history", group_history_modes);
	if (call_has(call, "muted_all"))
		json_put_bool_field(&changes, "muted_all", call_bool(call, "muted_all", JSON_OPTIONAL));
	buf_append_char(&changes, '}');
	const struct change_terms terms = { .subject = call_keep(call, &changes) };
	group_call_submit(call, gid, GROUP_CHANGE_PROFILE, &terms, group_profile_on_changed);
}

/* ---- DELETE /v1/groups/{gid} ---- */

void groups_dissolve(struct call *call)
{
	struct str gid = call_path_ident(call, "gid");
	const struct change_terms terms = { 0 };

	group_call_submit(call, gid, GROUP_DISSOLVE, &terms, group_call_on_changed);
}
