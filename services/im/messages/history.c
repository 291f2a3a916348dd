#include "im/api.h"
#include "im/callers/authenticator.h"

#include "base/text/json.h"
#include "base/mem.h"
#include "im/stored/message_reader.h"
#include "im/stored/message_row.h"
#include "message/message_json.h"

/* uid, conversation, after or NULL, before or NULL, limit, bytes -> verdict, has_more, then a message or NULLs */
static const struct pg_statement history_page = {
	"history_page",
	"select verdict, has_more, " MESSAGE_ROW_SHOWN
	" from fn.history($1::text, $2::text, $3::bigint, $4::bigint, $5::integer, $6::bigint)",
};

#define LIMIT_DEFAULT 50
#define LIMIT_MAX 200

/* What is asked for. */
struct history {
	struct http_request *request;
	char caller[65];
	bool is_forward; /* after a seq, the oldest first; else before one, the newest first */
	int64_t bound;
	int64_t limit;
};

enum column { COLUMN_VERDICT, COLUMN_HAS_MORE, COLUMN_MESSAGE };

static uint64_t seq_of(const PGresult *result, int row)
{
	return message_row_read(result, row, COLUMN_MESSAGE, STR("")).seq;
}

/* The order is that of the seqs. */
static void respond(const struct history *history, const PGresult *result)
{
	int rows = message_row_is_there(result, 0, COLUMN_MESSAGE) ? PQntuples(result) : 0;
	struct str conversation_id = http_request_param(history->request, 0);
	struct str caller = str_from(history->caller);
	struct buf body = { 0 };

	buf_append_str(&body, STR("{\"messages\":["));
	for (int row = 0; row < rows; row++) {
		const struct stored_fields fields = message_row_read(result, row, COLUMN_MESSAGE, conversation_id);
		const struct message_form form = message_row_form(result, row, COLUMN_MESSAGE);
		struct stored_message *stored = stored_message_new(&fields);
		const Skein__V1__Message message = stored_message_view(stored, &form, caller);
		if (row > 0)
			buf_append_char(&body, ',');
		message_json(&body, &message);
		stored_message_unref(stored);
	}
	buf_append_char(&body, ']');
	if (rows > 0 && pg_bool(result, 0, COLUMN_HAS_MORE))
		json_put_id_field(&body, "next_cursor", seq_of(result, history->is_forward ? rows - 1 : 0));
	buf_append_char(&body, '}');
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
		err = err_from_code(PQgetvalue(result, 0, COLUMN_VERDICT)); /* libpq terminates every cell */
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
	struct history *kept = MEM_NEW(struct history);
	*kept = history;
	(void)str_copy(kept->caller, sizeof(kept->caller), caller->uid);
	pg_put_text(&params, caller->uid);
	pg_put_text(&params, id);
	if (history.is_forward) {
		pg_put_i64(&params, history.bound);
		pg_put_null(&params);
	} else {
		pg_put_null(&params);
		pg_put_i64(&params, history.bound);
	}
	pg_put_i32(&params, (int32_t)history.limit);
	pg_put_i64(&params, MESSAGE_PAGE_BYTES);
	pg_query(app->pg.calls, PG_ANY_LANE, &history_page, &params, on_read, kept);
}

void history_api_read(struct http_request *request, void *arg)
{
	auth_require(arg, request, read_history);
}
