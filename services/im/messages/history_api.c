#include "im/api.h"
#include "im/http/auth.h"

#include "base/text/json.h"
#include "base/mem.h"
#include "message/message_json.h"

/*
 * What a user may read of a conversation: one row, joined to what is read, so that an empty conversation still has its
 * verdict. $1 uid, $2 conversation, $3 the other user or NULL, $4 the group or NULL.
 */
#define WITH_ACCESS \
	"with access as (select case" \
	" when a.uid is null and g.gid is null or g.dissolved_at is not null then 'not_found'" \
	" when g.gid is not null and m.uid is null then 'not_member'" \
	" else 'ok' end as verdict," \
	" case when g.history_mode = 'since_join' then m.since_seq else 0 end as since_seq" \
	" from (select $1::text as uid, $3::text as peer, $4::text as gid) as q" \
	" left join account a on a.uid = q.peer" \
	" left join chat_group g on g.gid = q.gid" \
	" left join group_member m on m.gid = q.gid and m.uid = q.uid) "

#define READ_HISTORY(range) \
	WITH_ACCESS \
	"select verdict, seq, msg_id, sender, type, body, time, reply_to, array_to_string(mentions, ',')," \
	" case when sender = $1 then client_msg_id end" \
	" from access left join lateral" \
	" (select * from message where verdict = 'ok' and conversation_id = $2::text and seq > since_seq and " range \
	" limit $6::integer) as m on true order by seq"

/* uid, conversation, peer, group, bound, limit -> verdict, then a message or NULLs */
static const struct pg_statement history_after = {
	"history_after",
	READ_HISTORY("seq > $5::bigint order by seq"),
};

static const struct pg_statement history_before = {
	"history_before",
	READ_HISTORY("seq < $5::bigint order by seq desc"),
};

#define LIMIT_DEFAULT 50
#define LIMIT_MAX 200

/* What is asked for. */
struct history {
	struct http_request *request;
	bool is_forward; /* after a seq, the oldest first; else before one, the newest first */
	int64_t bound;
	int64_t limit;
};

enum column {
	COLUMN_VERDICT, COLUMN_SEQ, COLUMN_MSG_ID, COLUMN_SENDER, COLUMN_TYPE, COLUMN_BODY, COLUMN_TIME, COLUMN_REPLY_TO,
	COLUMN_MENTIONS, COLUMN_CLIENT_MSG_ID,
};

/* libpq terminates every cell. */
static char *cell(const PGresult *result, int row, int column)
{
	return PQgetvalue(result, row, column);
}

static void put_message(struct buf *out, char *conversation_id, const PGresult *result, int row)
{
	Skein__V1__Message message = SKEIN__V1__MESSAGE__INIT;
	char *mentions[MENTIONS_MAX];

	message.conversation_id = conversation_id;
	message.seq = (uint64_t)pg_i64(result, row, COLUMN_SEQ);
	message.msg_id = (uint64_t)pg_i64(result, row, COLUMN_MSG_ID);
	message.from = cell(result, row, COLUMN_SENDER);
	message.type = cell(result, row, COLUMN_TYPE);
	message.body = cell(result, row, COLUMN_BODY);
	message.time = (uint64_t)pg_i64(result, row, COLUMN_TIME);
	message.reply_to = (uint64_t)pg_i64(result, row, COLUMN_REPLY_TO);
	message.n_mentions = mentions_split(cell(result, row, COLUMN_MENTIONS), mentions);
	message.mentions = mentions;
	message.client_msg_id = cell(result, row, COLUMN_CLIENT_MSG_ID);
	message_json(out, &message);
}

/* One row more than the limit was asked for: whether there is more. */
static void respond(const struct history *history, const PGresult *result)
{
	int rows = PQgetisnull(result, 0, COLUMN_SEQ) ? 0 : PQntuples(result);
	bool has_more = rows > history->limit;
	int first = has_more && !history->is_forward ? 1 : 0;
	int end = has_more && history->is_forward ? rows - 1 : rows;
	char *conversation_id = str_dup(http_request_param(history->request, 0));
	struct buf body = { 0 };

	buf_append_str(&body, STR("{\"messages\":["));
	for (int row = first; row < end; row++) {
		if (row > first)
			buf_append_char(&body, ',');
		put_message(&body, conversation_id, result, row);
	}
	buf_append_char(&body, ']');
	if (has_more)
		json_put_id_field(&body, "next_cursor",
		                  (uint64_t)pg_i64(result, history->is_forward ? end - 1 : first, COLUMN_SEQ));
	buf_append_char(&body, '}');
	mem_free(conversation_id);
	http_respond_json(history->request, 200, &body);
}

static const char *explain(err_t err)
{
	switch (err) {
	case ERR_NOT_FOUND:
		return "there is no such user or group";
	case ERR_NOT_MEMBER:
		return "only members may read a group's messages";
	default:
		return NULL;
	}
}

static void on_read(void *arg, err_t err, const PGresult *result)
{
	struct history *history = arg;

	if (!err)
		err = err_from_code(cell(result, 0, COLUMN_VERDICT));
	else
		err = ERR_UNAVAILABLE;
	if (!err)
		respond(history, result);
	else
		http_respond_problem(history->request, err, NULL, explain(err));
	mem_free(history);
}

/* A number of the query; `fallback` if it is absent. */
static int64_t read_number(const struct http_request *request, const char *name, int64_t fallback, int64_t min, int64_t max,
                           struct json_error *error)
{
	struct str text = http_request_query(request, name);
	int64_t number;

	if (!text.ptr)
		return fallback;
	if (!str_to_i64(text, &number) || number < min || number > max) {
		json_fail(error, ERR_INVALID_ARGUMENT, name, "%s must be a number from %lld to %lld", name, (long long)min,
		          (long long)max);
		return fallback;
	}
	return number;
}

static void read_bounds(struct history *history, struct json_error *error)
{
	int64_t after = read_number(history->request, "after_seq", -1, 0, INT64_MAX, error);
	int64_t before = read_number(history->request, "before_seq", -1, 1, INT64_MAX, error);

	history->limit = read_number(history->request, "limit", LIMIT_DEFAULT, 1, LIMIT_MAX, error);
	if (after >= 0 && before >= 0)
		json_fail(error, ERR_INVALID_ARGUMENT, "before_seq", "after_seq and before_seq exclude each other");
	history->is_forward = after >= 0;
	history->bound = after >= 0 ? after : before >= 0 ? before :
	                                                    INT64_MAX;
}

static bool has_part(const struct conversation *conversation, struct str uid)
{
	return conversation->kind != CONVERSATION_DIRECT || str_equal(conversation->first, uid) ||
	       str_equal(conversation->second, uid);
}

static void read_conversation(struct str id, struct str uid, struct conversation *conversation, struct json_error *error)
{
	if (!conversation_parse(id, conversation))
		json_fail(error, ERR_INVALID_ARGUMENT, "id", "this is not a conversation id");
	else if (conversation->kind == CONVERSATION_ROOM)
		json_fail(error, ERR_NOT_FOUND, "id", "the messages of a room are under /v1/rooms");
	else if (!has_part(conversation, uid))
		json_fail(error, ERR_NOT_MEMBER, NULL, "this is a conversation of others");
}

static void put_text_or_null(struct pg_params *params, bool is_given, struct str text)
{
	if (is_given)
		pg_put_text(params, text);
	else
		pg_put_null(params);
}

static void read_history(struct app *app, struct http_request *request, const struct caller *caller)
{
	struct json_error error = { 0 };
	struct history history = { .request = request };
	struct conversation conversation;
	struct pg_params params = { 0 };
	struct str id = http_request_param(request, 0);

	read_bounds(&history, &error);
	if (!error.err)
		read_conversation(id, caller->uid, &conversation, &error);
	if (error.err) {
		http_respond_problem(request, error.err, error.field, error.detail);
		return;
	}
	bool is_direct = conversation.kind == CONVERSATION_DIRECT;
	struct history *kept = MEM_NEW(struct history);
	*kept = history;
	pg_put_text(&params, caller->uid);
	pg_put_text(&params, id);
	put_text_or_null(&params, is_direct, conversation_peer(&conversation, caller->uid));
	put_text_or_null(&params, !is_direct, conversation.first);
	pg_put_i64(&params, history.bound);
	pg_put_i32(&params, (int32_t)history.limit + 1);
	pg_query(app->pg.calls, PG_ANY_LANE, history.is_forward ? &history_after : &history_before, &params,
	         on_read, kept);
}

void history_api_read(struct http_request *request, void *arg)
{
	auth_require(arg, request, read_history);
}
