#include "im/admin/audit.h"

#include "im/admin/admin.h"
#include "im/http/page.h"

/* actor or NULL, id or '', limit -> as fn.audit_page() */
static const struct pg_statement audit_page = {
	"audit_page",
	"select id, at, actor, action, target, address, details from fn.audit_page($1::text, $2::text, $3::integer)",
};

enum audit_column { AUDIT_ID, AUDIT_AT, AUDIT_ACTOR, AUDIT_ACTION, AUDIT_TARGET, AUDIT_ADDRESS, AUDIT_DETAILS };

void audit_put(struct pg_params *params, struct call *call, struct str target, struct str details)
{
	pg_put_text(params, call_uid(call));
	pg_put_text(params, call_address(call));
	pg_put_text_or_null(params, target);
	pg_put_text_or_null(params, details.len ? details : (struct str){ 0 });
}

static void audit_put_entry(struct buf *out, const PGresult *result, int row)
{
	struct str target = pg_text(result, row, AUDIT_TARGET), address = pg_text(result, row, AUDIT_ADDRESS);
	struct str details = pg_text(result, row, AUDIT_DETAILS);

	buf_append_char(out, '{');
	json_put_field(out, "id", pg_text(result, row, AUDIT_ID));
	json_put_u64_field(out, "time", (uint64_t)pg_i64(result, row, AUDIT_AT));
	json_put_field(out, "actor", pg_text(result, row, AUDIT_ACTOR));
	json_put_field(out, "action", pg_text(result, row, AUDIT_ACTION));
	if (target.ptr)
		json_put_field(out, "target", target);
	if (address.len)
		json_put_field(out, "address", address);
	if (details.len) {
		json_put_key(out, "details");
		buf_append_str(out, details);
	}
	buf_append_char(out, '}');
}

static const struct paged_list audit_list = {
	&audit_page, "audit", .key = AUDIT_ID, .is_key = page_key_is_number, .put = audit_put_entry,
};

void admin_list_audit(struct call *call)
{
	struct pg_params params = { 0 };

	pg_put_text_or_null(&params, call_query_ident(call, "actor"));
	call_list(call, &audit_list, &params);
}
