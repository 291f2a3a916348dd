#include <inttypes.h>
#include <stdio.h>

#include "im/admin/admin.h"
#include "im/admin/audit.h"
#include "im/http/page.h"

/*
 * audit_put() with the conversation as the target, seq, the last seq of the page before or '', limit, bytes -> as
 * fn.message_edits(). Who reads what others have written and taken back is written down. The row is inserted here and not by
 * fn.audit_add(): PostgreSQL runs a CTE that changes data although nothing reads it, but not one that only calls a function.
 */
static const struct pg_statement edit_list = {
	"message_edits",
	"with page as materialized (select verdict, has_more, seq, time, sender, body"
	" from fn.message_edits($3::text, $5::bigint, nullif($6::text, '')::bigint, $7::integer, $8::bigint)),"
	" audited as (insert into audit (actor, address, action, target, details)"
	" select $1::text, $2::text, 'message.read_edits', $3::text, $4::text from page where verdict = 'ok' limit 1)"
	" select verdict, has_more, seq::text, time, sender, body from page",
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
	struct str conversation = call_path_conversation_of_any(call, "id");
	int64_t seq = (int64_t)call_path_u64(call, "seq", 1, INT64_MAX);
	char details[32];

	snprintf(details, sizeof(details), "{\"seq\":%" PRId64 "}", seq);
	audit_put(&params, call, conversation, str_from(details));
	pg_put_i64(&params, seq);
	call_explain(call, edit_reasons);
	call_list(call, &edits, &params);
}
