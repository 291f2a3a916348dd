#include "base/random.h"
#include "im/groups/groups.h"
#include "im/http/call.h"

/* gid, name, owner, join, history, members -> unknown, member_count */
static const struct pg_statement group_create = {
	"group_create",
	"select unknown, member_count from fn.im_group_create($1::text, $2::text, $3::text, $4::text, $5::text, $6::text[])",
};

#define GID_DIGITS 20

/* A group that is being made. */
struct group_draft {
	char gid[GID_DIGITS + 1];
	struct str name;
	const char *join, *history;
};

static void group_create_on_stored(struct call *call, const PGresult *result)
{
	const struct group_draft *group = call_state(call);
	char id[CONVERSATION_ID_MAX + 1], detail[128];
	struct buf *out = call_out(call);

	if (!PQgetisnull(result, 0, 0)) {
		snprintf(detail, sizeof(detail), "there is no user %.*s", STR_ARG(pg_text(result, 0, 0)));
		call_fail(call, ERR_NOT_FOUND, "members", detail);
		return;
	}
	size_t id_len = conversation_group(id, str_from(group->gid));
	buf_append_char(out, '{');
	json_put_field(out, "group_id", str_from(group->gid));
	json_put_field(out, "conversation_id", str_of(id, id_len));
	json_put_field(out, "name", group->name);
	json_put_field(out, "owner", call_uid(call));
	json_put_field(out, "join", str_from(group->join));
	json_put_field(out, "history", str_from(group->history));
	json_put_u64_field(out, "member_count", (uint64_t)pg_i64(result, 0, 1));
	buf_append_char(out, '}');
	call_ok(call, 201);
}

void groups_create(struct call *call)
{
	static const char *const joins[] = { "invite", "approval", "open", NULL };
	static const char *const histories[] = { "all", "since_join", NULL };
	const struct im_config *config = ((const struct groups *)call_context(call))->config;
	size_t max_members = (size_t)MIN(config->limits_group_create_members, config->limits_group_members - 1);
	struct group_draft *group = call_make_state(call, sizeof(*group));
	struct pg_params params = { 0 };

	random_hex(group->gid, GID_DIGITS);
	group->name = call_name(call, "name", JSON_REQUIRED);
	struct ident_list members = call_ident_list(call, "members", JSON_OPTIONAL, max_members);
	group->join = call_choice(call, "join", JSON_OPTIONAL, joins);
	group->history = call_choice(call, "history", JSON_OPTIONAL, histories);
	pg_put_text(&params, str_from(group->gid));
	pg_put_text(&params, group->name);
	pg_put_text(&params, call_uid(call));
	pg_put_text(&params, str_from(group->join));
	pg_put_text(&params, str_from(group->history));
	ident_list_put(&params, &members);
	call_query(call, &group_create, &params, group_create_on_stored);
}
