#include "im/http/call_replies.h"
#include "im/messages/messages.h"
#include "im/stored/message_reader.h"
#include "im/stored/message_row.h"

/* uid, conversation, after or NULL, before or NULL, limit, bytes -> verdict, has_more, reactions, then a message or NULLs */
static const struct pg_statement history_page = {
	"history_page",
	"select verdict, has_more, reactions, " MESSAGE_ROW_SHOWN
	" from fn.history($1::text, $2::text, $3::bigint, $4::bigint, $5::integer, $6::bigint)",
};

#define HISTORY_LIMIT_DEFAULT 50
#define HISTORY_LIMIT_MAX 200

enum history_column { HISTORY_VERDICT, HISTORY_HAS_MORE, HISTORY_REACTIONS, HISTORY_MESSAGE };

static const struct call_reason history_reasons[] = {
	{ ERR_NOT_FOUND, NULL, "there is no such user or group" },
	{ ERR_NOT_MEMBER, NULL, "only members may read a group's messages" },
	{ .err = OK },
};

/* True: the page is after a seq; else before one. */
static bool history_is_forward(struct call *call)
{
	return call_query_text(call, "after_seq").ptr != NULL;
}

/* The messages are in the order of seq. The cursor is the seq at that end of the page behind which there are more. */
static void history_on_rows(struct call *call, const PGresult *result)
{
	int rows = message_row_is_there(result, 0, HISTORY_MESSAGE) ? PQntuples(result) : 0;
	int last = history_is_forward(call) ? rows - 1 : 0;
	struct str id = call_path_text(call, "id");
	struct buf *out = call_out(call);

	buf_append_str(out, STR("{\"messages\":["));
	for (int row = 0; row < rows; row++) {
		if (row > 0)
			buf_append_char(out, ',');
		message_row_put_reacted(out, result, row, HISTORY_MESSAGE, id, call_uid(call),
		                        pg_text(result, row, HISTORY_REACTIONS));
		call_add_reply(call, id, message_row_read(result, row, HISTORY_MESSAGE, id).reply_to);
	}
	buf_append_char(out, ']');
	if (rows > 0 && pg_bool(result, 0, HISTORY_HAS_MORE))
		json_put_id_field(out, "next_cursor", message_row_read(result, last, HISTORY_MESSAGE, STR("")).seq);
	buf_append_char(out, '}');
	call_ok_with_replies(call);
}

void messages_history(struct call *call)
{
	bool is_forward = history_is_forward(call);
	struct pg_params params = { 0 };

	pg_put_text(&params, call_uid(call));
	pg_put_text(&params, call_path_conversation(call, "id"));
	int64_t after = call_query_int(call, "after_seq", -1, 0, INT64_MAX);
	int64_t before = call_query_int(call, "before_seq", INT64_MAX, 0, INT64_MAX);
	int64_t limit = call_query_int(call, "limit", HISTORY_LIMIT_DEFAULT, 1, HISTORY_LIMIT_MAX);
	call_read_replies(call, HISTORY_LIMIT_MAX);
	if (is_forward && call_query_text(call, "before_seq").ptr)
		call_reject(call, ERR_INVALID_ARGUMENT, "before_seq", "after_seq and before_seq exclude each other");
	if (is_forward) {
		pg_put_i64(&params, after);
		pg_put_null(&params);
	} else {
		pg_put_null(&params);
		pg_put_i64(&params, before);
	}
	pg_put_i32(&params, (int32_t)limit);
	pg_put_i64(&params, MESSAGE_PAGE_BYTES);
	call_explain(call, history_reasons);
	call_query(call, &history_page, &params, history_on_rows);
}
