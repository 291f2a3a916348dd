/* Requests to become a friend: made, answered, listed. */

#include "im/contacts/contacts.h"
#include "im/http/page.h"

/* sender, recipient, note, limits of both -> as fn.friend_request_make() */
static const struct pg_statement friend_request_make = {
	"friend_request_make",
	"select verdict, request_id::text, note, is_repeat, detail"
	" from fn.friend_request_make($1::text, $2::text, $3::text, $4::integer, $5::integer)",
};

/* caller, request, status, limit -> as fn.friend_request_answer() */
static const struct pg_statement friend_request_answer = {
	"friend_request_answer",
	"select verdict, detail, $2::bigint::text, sender, note, is_repeat"
	" from fn.friend_request_answer($1::text, $2::bigint, $3::smallint, $4::integer)",
};

/* caller, the last id of the page before or '', limit -> requests */
static const struct pg_statement friend_requests = {
	"friend_requests",
	"select request_id::text, sender, recipient, note, status"
	" from fn.friend_requests($1::text, nullif($2::text, '')::bigint, $3::integer)",
};

enum friend_request_column { REQUEST_ID, REQUEST_SENDER, REQUEST_RECIPIENT, REQUEST_NOTE, REQUEST_STATUS };

/* As friend_request.status. */
enum friend_request_status { REQUEST_PENDING, REQUEST_ACCEPTED, REQUEST_REJECTED };

static const char *const friend_request_statuses[] = { "pending", "accepted", "rejected" };

static void friend_request_put(struct buf *out, struct str id, struct str sender, struct str recipient, struct str note,
                               enum friend_request_status status)
{
	buf_append_char(out, '{');
	json_put_field(out, "request_id", id);
	json_put_field(out, "from", sender);
	json_put_field(out, "to", recipient);
	json_put_field(out, "note", note);
	json_put_field(out, "status", str_from(friend_request_statuses[status]));
	buf_append_char(out, '}');
}

/* ---- POST /v1/friends/requests ---- */

static const struct call_reason friend_request_make_reasons[] = {
	{ ERR_NOT_FOUND, "to", "there is no such user" },
	{ ERR_BLOCKED, "to", "this user does not accept requests of the caller" },
	{ ERR_ALREADY_EXISTS, "to", "the two are friends" },
	{ .err = OK },
};

static void friend_request_on_made(struct call *call, const PGresult *result)
{
	enum { VERDICT, ID, NOTE, IS_REPEAT };
	const struct str *recipient = call_state(call);
	struct str id = pg_text(result, 0, ID);
	bool is_repeat = pg_bool(result, 0, IS_REPEAT);

	friend_request_put(call_out(call), id, call_uid(call), *recipient, pg_text(result, 0, NOTE), REQUEST_PENDING);
	if (!is_repeat)
		contacts_tell(call, *recipient, "request", id);
	call_ok(call, is_repeat ? 200 : 201);
}

void contacts_request(struct call *call)
{
	const struct contacts *contacts = call_context(call);
	struct str *recipient = call_make_state(call, sizeof(*recipient));
	struct pg_params params = { 0 };

	*recipient = call_ident(call, "to", JSON_REQUIRED);
	if (str_equal(*recipient, call_uid(call)))
		call_reject(call, ERR_INVALID_ARGUMENT, "to", "nobody can be a friend of oneself");
	struct str note = call_text(call, "note", JSON_OPTIONAL, 0, NOTE_MAX_BYTES);
	pg_put_text(&params, call_uid(call));
	pg_put_text(&params, *recipient);
	pg_put_text(&params, note.ptr ? note : STR(""));
	pg_put_i32(&params, (int32_t)contacts->config->limits_friend_requests);
	pg_put_i32(&params, (int32_t)contacts->config->limits_friend_requests_got);
	call_explain(call, friend_request_make_reasons);
	call_query(call, &friend_request_make, &params, friend_request_on_made);
}

/* ---- POST /v1/friends/requests/{id}/accept and /reject ---- */

static const struct call_reason friend_request_answer_reasons[] = {
	{ ERR_NOT_FOUND, "id", "the caller has made and got no such request" },
	{ ERR_PERMISSION_DENIED, NULL, "only the recipient answers a request" },
	{ ERR_BLOCKED, NULL, "the sender does not accept the caller as a friend any more" },
	{ .err = OK },
};

static void friend_request_on_answered(struct call *call, const PGresult *result)
{
	enum { VERDICT, DETAIL, ID, SENDER, NOTE, IS_REPEAT };
	const enum friend_request_status *status = call_state(call);
	struct str id = pg_text(result, 0, ID), sender = pg_text(result, 0, SENDER);

	friend_request_put(call_out(call), id, sender, call_uid(call), pg_text(result, 0, NOTE), *status);
	if (!pg_bool(result, 0, IS_REPEAT))
		contacts_tell(call, sender, friend_request_statuses[*status], id);
	call_ok(call, 200);
}

static void friend_request_reply(struct call *call, enum friend_request_status status)
{
	const struct contacts *contacts = call_context(call);
	enum friend_request_status *state = call_make_state(call, sizeof(*state));
	struct pg_params params = { 0 };

	*state = status;
	pg_put_text(&params, call_uid(call));
	pg_put_i64(&params, (int64_t)call_path_u64(call, "id", 1, INT64_MAX));
	pg_put_i16(&params, (int16_t)status);
	pg_put_i32(&params, (int32_t)contacts->config->limits_friends);
	call_explain(call, friend_request_answer_reasons);
	call_query(call, &friend_request_answer, &params, friend_request_on_answered);
}

void contacts_accept(struct call *call)
{
	friend_request_reply(call, REQUEST_ACCEPTED);
}

void contacts_reject(struct call *call)
{
	friend_request_reply(call, REQUEST_REJECTED);
}

/* ---- GET /v1/friends/requests ---- */

static void friend_request_put_row(struct buf *out, const PGresult *result, int row)
{
	friend_request_put(out, pg_text(result, row, REQUEST_ID), pg_text(result, row, REQUEST_SENDER),
	                   pg_text(result, row, REQUEST_RECIPIENT), pg_text(result, row, REQUEST_NOTE),
	                   (enum friend_request_status)pg_i64(result, row, REQUEST_STATUS));
}

static const struct paged_list requests = {
	&friend_requests, "requests", .key = REQUEST_ID, .is_key = page_key_is_number, .put = friend_request_put_row
};

void contacts_list_requests(struct call *call)
{
	struct pg_params params = { 0 };

	pg_put_text(&params, call_uid(call));
	call_list(call, &requests, &params);
}
