#include "im/contacts/contacts.h"
#include "im/http/page.h"

/* caller, the other, limit -> as fn.block_add() */
static const struct pg_statement block_add = {
	"block_add",
	"select verdict from fn.block_add($1::text, $2::text, $3::integer)",
};

/* caller, the other -> as fn.block_remove() */
static const struct pg_statement block_remove = {
	"block_remove",
	"select verdict from fn.block_remove($1::text, $2::text)",
};

/* caller, after or '', limit -> blocks */
static const struct pg_statement block_list = {
	"block_list",
	"select blocked, since from block where uid = $1::text and blocked > $2::text order by blocked limit $3::integer",
};

enum block_column { BLOCK_UID, BLOCK_SINCE };

static void block_on_done(struct call *call, const PGresult *result)
{
	(void)result;
	call_no_content(call);
}

/* ---- PUT /v1/blocks/{uid} ---- */

static const struct call_reason block_add_reasons[] = {
	{ ERR_NOT_FOUND, "uid", "there is no such user" },
	{ ERR_FAILED_PRECONDITION, NULL, "the caller has blocked as many users as may be" },
	{ .err = OK },
};

void contacts_block(struct call *call)
{
	const struct contacts *contacts = call_context(call);
	struct str uid = call_path_ident(call, "uid");
	struct pg_params params = { 0 };

	if (str_equal(uid, call_uid(call)))
		call_reject(call, ERR_INVALID_ARGUMENT, "uid", "nobody can block oneself");
	pg_put_text(&params, call_uid(call));
	pg_put_text(&params, uid);
	pg_put_i32(&params, (int32_t)contacts->config->limits_blocks);
	call_explain(call, block_add_reasons);
	call_query(call, &block_add, &params, block_on_done);
}

/* ---- DELETE /v1/blocks/{uid} ---- */

static const struct call_reason block_remove_reasons[] = {
	{ ERR_NOT_FOUND, "uid", "the caller has not blocked this user" },
	{ .err = OK },
};

void contacts_unblock(struct call *call)
{
	struct pg_params params = { 0 };

	pg_put_text(&params, call_uid(call));
	pg_put_text(&params, call_path_ident(call, "uid"));
	call_explain(call, block_remove_reasons);
	call_query(call, &block_remove, &params, block_on_done);
}

/* ---- GET /v1/blocks ---- */

static void block_put(struct buf *out, const PGresult *result, int row)
{
	buf_append_char(out, '{');
	json_put_field(out, "uid", pg_text(result, row, BLOCK_UID));
	json_put_u64_field(out, "since", (uint64_t)pg_i64(result, row, BLOCK_SINCE));
	buf_append_char(out, '}');
}

static const struct paged_list blocks = { &block_list, "blocks", .key = BLOCK_UID, .put = block_put };

void contacts_list_blocks(struct call *call)
{
	struct pg_params params = { 0 };

	pg_put_text(&params, call_uid(call));
	call_list(call, &blocks, &params);
}
