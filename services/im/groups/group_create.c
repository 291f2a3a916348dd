#include "base/random.h"
#include "im/groups/group_call.h"
#include "im/groups/group_head.h"
#include "im/groups/groups.h"
#include "im/http/call.h"

/* gid, name, owner, join, history, members, client_group_id, most groups of a user -> as fn.im_group_create() */
static const struct pg_statement group_create = {
	"group_create",
	"select verdict, field, detail, gid, member_count, is_repeat, added"
	" from fn.im_group_create($1::text, $2::text, $3::text, $4::text, $5::text, $6::text[], $7::text,"
	" $8::integer)",
};

static const struct call_reason group_create_reasons[] = {
	{ ERR_IDEMPOTENCY_CONFLICT, "client_group_id", "this client_group_id was used for another group" },
	{ OK, NULL, NULL },
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
	const struct group_head head = {
		.gid = pg_text(result, 0, 3),
		.name = group->name,
		.owner = call_uid(call),
		.join = str_from(group->join),
		.history = str_from(group->history),
		.member_count = (uint64_t)pg_i64(result, 0, 4),
	};
	struct buf *out = call_out(call);
	bool is_repeat = pg_bool(result, 0, 5);

	buf_append_char(out, '{');
	group_head_put(out, &head);
	buf_append_char(out, '}');
	group_call_emit(call, head.gid, "added", pg_text(result, 0, 6));
	call_ok(call, is_repeat ? 200 : 201);
}

/* The creator's key, which makes a creation that is asked for again answer the first group; absent: none. */
static struct str group_create_key(struct call *call)
{
	struct str key = call_text(call, "client_group_id", JSON_OPTIONAL, 0, SIZE_MAX);

	if (key.ptr && !client_msg_id_is_valid(key))
		call_reject(call, ERR_INVALID_ARGUMENT, "client_group_id",
		            "client_group_id must be 1 to 64 printable ASCII characters, no space");
	return key;
}

void groups_create(struct call *call)
{
	const struct im_config *config = ((const struct groups *)call_context(call))->config;
	size_t max_members = (size_t)MIN(config->limits_group_create_members, config->limits_group_members - 1);
	struct group_draft *group = call_make_state(call, sizeof(*group));
	struct pg_params params = { 0 };

	random_hex(group->gid, GID_DIGITS);
	group->name = call_name(call, "name", JSON_REQUIRED);
	struct ident_list members = call_ident_list(call, "members", JSON_OPTIONAL, max_members);
	group->join = call_choice(call, "join", JSON_OPTIONAL, group_join_modes);
	group->history = call_choice(call, "history", JSON_OPTIONAL, group_history_modes);
	struct str key = group_create_key(call);
	call_explain(call, group_create_reasons);
	pg_put_text(&params, str_from(group->gid));
	pg_put_text(&params, group->name);
	pg_put_text(&params, call_uid(call));
	pg_put_text(&params, str_from(group->join));
	pg_put_text(&params, str_from(group->history));
	ident_list_put(&params, &members);
	pg_put_text_or_null(&params, key);
	pg_put_i32(&params, (int32_t)config->limits_groups);
	call_query(call, &group_create, &params, group_create_on_stored);
}
