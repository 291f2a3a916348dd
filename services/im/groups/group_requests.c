/* Joining a group, and requests to join where somebody has to accept them. */

#include "im/groups/group_call.h"
#include "im/http/page.h"

/* caller, gid, uid -> as fn.group_request_reject() */
static const struct pg_statement group_request_reject = {
	"group_request_reject",
	"select verdict, field from fn.group_request_reject($1::text, $2::text, $3::text)",
};

/* caller, gid, after or '', limit -> verdict, then a request or NULLs */
static const struct pg_statement group_requests = {
	"group_requests",
	"select verdict, uid, note from fn.group_requests($1::text, $2::text, $3::text, $4::integer)",
};

enum group_request_column { REQUEST_VERDICT, REQUEST_UID, REQUEST_NOTE };

static const struct call_reason group_request_reasons[] = {
	{ ERR_NOT_FOUND, NULL, "there is no such group or request" },
	{ ERR_NOT_MEMBER, NULL, "only members may do this in a group" },
	{ ERR_PERMISSION_DENIED, NULL, "only the owner and admins decide who joins" },
	{ .err = OK },
};

/* ---- POST /v1/groups/{gid}/join ---- */

static void group_join_on_decided(void *arg, const struct entry_result *result)
{
	struct call *call = arg;

	if (!result->is_nothing) {
		group_call_on_changed(call, result);
		return;
	}
	buf_append_str(call_out(call), STR("{\"status\":\"pending\"}"));
	call_ok(call, 202);
}

void groups_join(struct call *call)
{
	struct str gid = call_path_ident(call, "gid");
	const struct im_config *config = ((const struct groups *)call_context(call))->config;
	struct str note = call_has_body(call) ? call_text(call, "note", JSON_OPTIONAL, 0, NOTE_MAX_BYTES) : STR("");
	const struct change_terms terms = {
		.subject = note.ptr ? note : STR(""),
		.numbers = { config->limits_group_members, config->limits_group_requests, config->limits_groups },
	};

	group_call_submit(call, gid, GROUP_JOIN, &terms, group_join_on_decided);
}

/* ---- POST /v1/groups/{gid}/requests/{uid}/accept and /reject ---- */

void groups_accept_request(struct call *call)
{
	struct str gid = call_path_ident(call, "gid");
	const struct im_config *config = ((const struct groups *)call_context(call))->config;
	const struct change_terms terms = { .subject = call_path_ident(call, "uid"),
		                            .numbers = { config->limits_group_members, config->limits_groups } };

	group_call_submit(call, gid, GROUP_ACCEPT, &terms, group_call_on_changed);
}

static void group_request_on_rejected(struct call *call, const PGresult *result)
{
	(void)result;
	call_no_content(call);
}

void groups_reject_request(struct call *call)
{
	struct pg_params params = { 0 };

	pg_put_text(&params, call_uid(call));
	pg_put_text(&params, call_path_ident(call, "gid"));
	pg_put_text(&params, call_path_ident(call, "uid"));
	call_explain(call, group_request_reasons);
	call_query(call, &group_request_reject, &params, group_request_on_rejected);
}

/* ---- GET /v1/groups/{gid}/requests ---- */

static void group_request_put(struct buf *out, const PGresult *result, int row)
{
	struct str note = pg_text(result, row, REQUEST_NOTE);

	buf_append_char(out, '{');
	json_put_field(out, "uid", pg_text(result, row, REQUEST_UID));
	if (note.len)
		json_put_field(out, "note", note);
	buf_append_char(out, '}');
}

static const struct paged_list requests = { &group_requests, "requests", .key = REQUEST_UID, .put = group_request_put };

void groups_list_requests(struct call *call)
{
	struct pg_params params = { 0 };

	pg_put_text(&params, call_uid(call));
	pg_put_text(&params, call_path_ident(call, "gid"));
	call_explain(call, group_request_reasons);
	call_list(call, &requests, &params);
}
