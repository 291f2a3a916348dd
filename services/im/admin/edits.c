#include "im/admin/admin.h"
#include "im/http/page.h"

/* conversation, seq, the last seq of the page before or '', limit, bytes -> as fn.message_edits() */
static const struct pg_statement edit_list = {
	"message_edits",
	"select verdict, has_more, seq::text, time, sender, body"
	" from fn.message_edits($1::text, $2::bigint, nullif($3::text, '')::bigint, $4::integer, $5::bigint)",
};

enum edit_column { EDIT_VERDICT, EDIT_HAS_MORE, EDIT_SEQ, EDIT_TIME, EDIT_SENDER, EDIT_BODY };

static const struct call_reason edit_reasons[] = {
	{ ERR_NOT_FOUND, NULL, "there is no such message" },
	{ .err = OK },
};

static void edit_put(struct buf *out, const PGresult *result, int row)
{
	buf_append_char(out, '{');
	json_put_key(out, "seq");
	buf_append_str(out, pg_text(result, row, EDIT_SEQ));
	json_put_u64_field(out, "time", (uint64_t)pg_i64(result, row, EDIT_TIME));
	json_put_field(out, "from", pg_text(result, row, EDIT_SENDER));
	if (PQgetisnull(result, row, EDIT_BODY)) {
		json_put_bool_field(out, "expired", true);
	} else {
		json_put_key(out, "body");
		buf_append_str(out, pg_text(result, row, EDIT_BODY));
	}
	buf_append_char(out, '}');
}

static const struct paged_list edits = {
	&edit_list, "edits", .key = EDIT_SEQ, .is_key = page_key_is_number, .put = edit_put, .has_more = EDIT_HAS_MORE,
};

void admin_list_edits(struct call *call)
{
	struct pg_params params = { 0 };

	pg_put_text(&params, call_path_conversation_of_any(call, "id"));
	pg_put_i64(&params, (int64_t)call_path_u64(call, "seq", 1, INT64_MAX));
	call_explain(call, edit_reasons);
	call_list(call, &edits, &params);
}
