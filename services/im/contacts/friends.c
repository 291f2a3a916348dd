#include "im/contacts/contacts.h"
#include "im/http/page.h"

/* caller, after or '', limit -> friends */
static const struct pg_statement friend_list = {
	"friend_list",
	"select friend, remark, since from friendship where uid = $1::text and friend > $2::text order by friend limit $3::integer",
};

/* caller, friend, remark or '' -> since; no row when there is no such friend */
static const struct pg_statement friend_remark = {
	"friend_remark",
	"update friendship set remark = nullif($3::text, '') where uid = $1::text and friend = $2::text"
	" returning friend, remark, since",
};

/* caller, friend -> as fn.friend_remove() */
static const struct pg_statement friend_remove = {
	"friend_remove",
	"select verdict from fn.friend_remove($1::text, $2::text)",
};

#define FRIEND_UNKNOWN "this user is no friend of the caller"

enum friend_column { FRIEND_UID, FRIEND_REMARK, FRIEND_SINCE };

static void friend_put(struct buf *out, const PGresult *result, int row)
{
	struct str remark = pg_text(result, row, FRIEND_REMARK);

	buf_append_char(out, '{');
	json_put_field(out, "uid", pg_text(result, row, FRIEND_UID));
	if (remark.len)
		json_put_field(out, "remark", remark);
	json_put_u64_field(out, "since", (uint64_t)pg_i64(result, row, FRIEND_SINCE));
	buf_append_char(out, '}');
}

/* ---- GET /v1/friends ---- */

static const struct paged_list friends = { &friend_list, "friends", .key = FRIEND_UID, .put = friend_put };

void contacts_list_friends(struct call *call)
{
	struct pg_params params = { 0 };

	pg_put_text(&params, call_uid(call));
	call_list(call, &friends, &params);
}

/* ---- PATCH /v1/friends/{uid} ---- */

static void friend_on_remarked(struct call *call, const PGresult *result)
{
	if (PQntuples(result) == 0) {
		call_fail(call, ERR_NOT_FOUND, "uid", FRIEND_UNKNOWN);
		return;
	}
	friend_put(call_out(call), result, 0);
	call_ok(call, 200);
}

/* A remark is a name, or empty. */
static struct str friend_read_remark(struct call *call)
{
	struct str remark = call_text(call, "remark", JSON_REQUIRED, 0, SIZE_MAX);

	return remark.ptr && !remark.len ? remark : call_name(call, "remark", JSON_REQUIRED);
}

void contacts_set_remark(struct call *call)
{
	struct pg_params params = { 0 };

	pg_put_text(&params, call_uid(call));
	pg_put_text(&params, call_path_ident(call, "uid"));
	pg_put_text(&params, friend_read_remark(call));
	call_query(call, &friend_remark, &params, friend_on_remarked);
}

/* ---- DELETE /v1/friends/{uid} ---- */

static const struct call_reason friend_remove_reasons[] = {
	{ ERR_NOT_FOUND, "uid", FRIEND_UNKNOWN },
	{ .err = OK },
};

static void friend_on_removed(struct call *call, const PGresult *result)
{
	(void)result;
	contacts_tell(call, call_path_text(call, "uid"), "removed", STR(""));
	call_no_content(call);
}

void contacts_remove_friend(struct call *call)
{
	struct pg_params params = { 0 };

	pg_put_text(&params, call_uid(call));
	pg_put_text(&params, call_path_ident(call, "uid"));
	call_explain(call, friend_remove_reasons);
	call_query(call, &friend_remove, &params, friend_on_removed);
}
