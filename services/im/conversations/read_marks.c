/* Up to where a user has read a conversation, and up to where the user has cleared it. */

#include "im/conversations/conversation_signals.h"
#include "im/events/events.h"

/* caller, conversation, seq or NULL -> verdict, up_to */
static const struct pg_statement conversation_clear = {
	"conversation_clear",
	"select verdict, up_to from fn.conversation_clear($1::text, $2::text, $3::bigint)",
};

static const struct call_reason read_mark_reasons[] = {
	{ ERR_NOT_FOUND, NULL, "there is no such user, group or conversation" },
	{ ERR_NOT_MEMBER, NULL, "only members may do this in a group" },
	{ ERR_INVALID_ARGUMENT, "seq", "seq is past the end of the conversation" },
	{ .err = OK },
};

/* ---- PUT /v1/conversations/{id}/read ---- */

static void read_mark_on_moved(struct call *call, const PGresult *result)
{
	const struct conversations *conversations = call_context(call);
	const int64_t *seq = call_state(call);
	const struct conversation_signal signal = {
		.uid = call_uid(call),
		.conversation_id = call_path_text(call, "id"),
		.seq = (uint64_t)*seq,
		.traceparent = call_trace(call),
	};

	conversation_read_tell(conversations->events, result, &signal);
	call_no_content(call);
}

void conversations_read(struct call *call)
{
	int64_t *seq = call_make_state(call, sizeof(*seq));
	struct pg_params params = { 0 };
	struct str id = call_path_conversation(call, "id");

	*seq = call_int(call, "seq", JSON_REQUIRED, 0, INT64_MAX);
	conversation_read_put(&params, call_uid(call), id, *seq);
	call_explain(call, read_mark_reasons);
	call_query(call, &conversation_read, &params, read_mark_on_moved);
}

/* ---- DELETE /v1/conversations/{id}/messages ---- */

static const struct call_reason clear_reasons[] = {
	{ ERR_NOT_FOUND, NULL, "there is no such user, group or conversation" },
	{ ERR_NOT_MEMBER, NULL, "only members may do this in a group" },
	{ ERR_INVALID_ARGUMENT, "up_to_seq", "up_to_seq is past the end of the conversation" },
	{ .err = OK },
};

static void clear_tell(struct call *call, int64_t up_to)
{
	const struct conversations *conversations = call_context(call);
	struct str uid = call_uid(call);
	struct buf body = { 0 };

	buf_append_char(&body, '{');
	json_put_field(&body, "conversation_id", call_path_text(call, "id"));
	json_put_u64_field(&body, "up_to_seq", (uint64_t)up_to);
	buf_append_char(&body, '}');
	const struct event event = {
		.uids = &uid, .uid_count = 1, .kind = "cleared", .body = buf_str(&body), .traceparent = call_trace(call),
	};
	events_emit(conversations->events, &event);
	buf_release(&body);
}

static void clear_on_done(struct call *call, const PGresult *result)
{
	if (!PQgetisnull(result, 0, 1))
		clear_tell(call, pg_i64(result, 0, 1));
	call_no_content(call);
}

void conversations_clear(struct call *call)
{
	struct pg_params params = { 0 };

	pg_put_text(&params, call_uid(call));
	pg_put_text(&params, call_path_conversation(call, "id"));
	int64_t up_to = call_query_int(call, "up_to_seq", -1, 0, INT64_MAX);
	if (up_to >= 0)
		pg_put_i64(&params, up_to);
	else
		pg_put_null(&params);
	call_explain(call, clear_reasons);
	call_query(call, &conversation_clear, &params, clear_on_done);
}
