#include "im/http/call.h"
#include "im/messages/messages.h"
#include "im/stored/message_reader.h"
#include "im/stored/message_row.h"
#include "message/message_json.h"

/* uid, conversation, after or NULL, before or NULL, limit, bytes -> verdict, has_more, then a message or NULLs */
static const struct pg_statement history_page = {
	"history_page",
	"select verdict, has_more, " MESSAGE_ROW_SHOWN
	" from fn.history($1::text, $2::text, $3::bigint, $4::bigint, $5::integer, $6::bigint)",
};

#define HISTORY_LIMIT_DEFAULT 50
#define HISTORY_LIMIT_MAX 200

/* What is asked for. */
struct history {
	bool is_forward; /* after a seq, the oldest first; else before one, the newest first */
	int64_t bound;
	int64_t limit;
};

enum history_column { HISTORY_VERDICT, HISTORY_HAS_MORE, HISTORY_MESSAGE };

static const struct call_reason history_reasons[] = {
	{ ERR_NOT_FOUND, NULL, "there is no such user or group" },
	{ ERR_NOT_MEMBER, NULL, "only members may read a group's messages" },
	{ .err = OK },
};

static void history_put(struct call *call, const PGresult *result, int row)
{
	const struct stored_fields fields = message_row_read(result, row, HISTORY_MESSAGE, call_path_text(call, "id"));
	const struct message_form form = message_row_form(result, row, HISTORY_MESSAGE);
	struct stored_message *stored = stored_message_new(&fields);
	const Skein__V1__Message message = stored_message_view(stored, &form, call_uid(call));

	message_json(call_out(call), &message);
	stored_message_unref(stored);
}

/* The order is that of the seqs. The cursor is the seq at the end where there is more. */
static void history_on_rows(struct call *call, const PGresult *result)
{
	const struct history *history = call_state(call);
	int rows = message_row_is_there(result, 0, HISTORY_MESSAGE) ? PQntuples(result) : 0;
	int last = history->is_forward ? rows - 1 : 0;
	struct buf *out = call_out(call);

	buf_append_str(out, STR("{\"messages\":["));
	for (int row = 0; row < rows; row++) {
		if (row > 0)
			buf_append_char(out, ',');
		history_put(call, result, row);
	}
	buf_append_char(out, ']');
	if (rows > 0 && pg_bool(result, 0, HISTORY_HAS_MORE))
		json_put_id_field(out, "next_cursor", message_row_read(result, last, HISTORY_MESSAGE, STR("")).seq);
	buf_append_char(out, '}');
	call_ok(call, 200);
}

static void history_read_bounds(struct call *call, struct history *history)
{
	int64_t after = call_query_int(call, "after_seq", -1, 0, INT64_MAX);
	int64_t before = call_query_int(call, "before_seq", INT64_MAX, 1, INT64_MAX);

	history->limit = call_query_int(call, "limit", HISTORY_LIMIT_DEFAULT, 1, HISTORY_LIMIT_MAX);
	history->is_forward = after >= 0;
	history->bound = history->is_forward ? after : before;
	if (history->is_forward && call_query_text(call, "before_seq").ptr)
		call_reject(call, ERR_INVALID_ARGUMENT, "before_seq", "after_seq and before_seq exclude each other");
}

void messages_history(struct call *call)
{
	struct history *history = call_make_state(call, sizeof(*history));
	struct pg_params params = { 0 };

	pg_put_text(&params, call_uid(call));
	pg_put_text(&params, call_path_conversation(call, "id"));
	history_read_bounds(call, history);
	if (history->is_forward) {
		pg_put_i64(&params, history->bound);
		pg_put_null(&params);
	} else {
		pg_put_null(&params);
		pg_put_i64(&params, history->bound);
	}
	pg_put_i32(&params, (int32_t)history->limit);
	pg_put_i64(&params, MESSAGE_PAGE_BYTES);
	call_explain(call, history_reasons);
	call_query(call, &history_page, &params, history_on_rows);
}
