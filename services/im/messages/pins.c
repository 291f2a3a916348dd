/* Pinned messages of a conversation. */

#include "im/http/call.h"
#include "im/http/call_entry.h"
#include "im/messages/message_change.h"
#include "im/messages/messages.h"
#include "im/stored/message_reader.h"
#include "im/stored/message_row.h"

/* caller, conversation -> verdict, then a message or NULLs */
static const struct pg_statement pin_list = {
	"pins",
	"select verdict, " MESSAGE_ROW_SHOWN " from fn.pins($1::text, $2::text)",
};

/* caller, conversation, the seq before the message, bytes -> verdict, then the message or NULLs */
static const struct pg_statement pinned_message = {
	"pinned_message",
	"select verdict, " MESSAGE_ROW_SHOWN " from fn.history($1::text, $2::text, $3::bigint, null, 1, $4::bigint)",
};

enum pin_column { PIN_VERDICT, PIN_MESSAGE };

static const struct call_reason pin_reasons[] = {
	{ ERR_NOT_FOUND, NULL, "there is no such user or group" },
	{ ERR_NOT_MEMBER, NULL, "only members may see what is pinned in a group" },
	{ .err = OK },
};

/* ---- GET /v1/conversations/{id}/pins ---- */

static void pin_list_on_rows(struct call *call, const PGresult *result)
{
	int rows = message_row_is_there(result, 0, PIN_MESSAGE) ? PQntuples(result) : 0;
	struct buf *out = call_out(call);

	buf_append_str(out, STR("{\"messages\":["));
	for (int row = 0; row < rows; row++) {
		if (row)
			buf_append_char(out, ',');
		message_row_put(out, result, row, PIN_MESSAGE, call_path_text(call, "id"), call_uid(call));
	}
	buf_append_str(out, STR("]}"));
	call_ok(call, 200);
}

void messages_list_pins(struct call *call)
{
	struct pg_params params = { 0 };

	pg_put_text(&params, call_uid(call));
	pg_put_text(&params, call_path_conversation(call, "id"));
	call_explain(call, pin_reasons);
	call_query(call, &pin_list, &params, pin_list_on_rows);
}

/* ---- PUT and DELETE /v1/conversations/{id}/pins/{seq} ---- */

/* The page begins at the message, unless the caller has cleared it meanwhile. */
static void pin_on_message(struct call *call, const PGresult *result)
{
	if (!message_row_is_there(result, 0, PIN_MESSAGE) ||
	    message_row_read(result, 0, PIN_MESSAGE, STR("")).seq != call_path_u64(call, "seq", 1, INT64_MAX)) {
		call_fail(call, ERR_NOT_FOUND, "seq", "the caller has cleared this message");
		return;
	}
	message_row_put(call_out(call), result, 0, PIN_MESSAGE, call_path_text(call, "id"), call_uid(call));
	call_ok(call, 200);
}

/* The message stays where it is: it is read when it is pinned. */
static void pin_on_pinned(void *arg, const struct entry_result *result)
{
	struct call *call = arg;
	struct pg_params params = { 0 };

	if (result->err) {
		call_fail(call, result->err, result->field, result->detail);
		return;
	}
	pg_put_text(&params, call_uid(call));
	pg_put_text(&params, call_path_conversation(call, "id"));
	pg_put_i64(&params, (int64_t)call_path_u64(call, "seq", 1, INT64_MAX) - 1);
	pg_put_i64(&params, MESSAGE_PAGE_BYTES);
	call_explain(call, pin_reasons);
	call_query(call, &pinned_message, &params, pin_on_message);
}

static void pin_on_unpinned(void *arg, const struct entry_result *result)
{
	struct call *call = arg;

	if (result->err)
		call_fail(call, result->err, result->field, result->detail);
	else
		call_no_content(call);
}

static void pin_submit(struct call *call, bool is_pin, entry_done done)
{
	struct messages *messages = call_context(call);
	struct str conversation = call_path_conversation(call, "id");
	uint64_t seq = call_path_u64(call, "seq", 1, INT64_MAX);
	const struct message_pin pin = {
		.is_pin = is_pin,
		.max = messages->config->limits_pins,
		.is_for_friends = im_config_is_for_friends(messages->config),
	};
	const struct entry_caller caller = call_entry_caller(call, done);

	if (call_finish_reading(call))
		call_submit_entry(call, messages->entries, message_pin_new(conversation, seq, &pin, &caller));
}

void messages_pin(struct call *call)
{
	pin_submit(call, true, pin_on_pinned);
}

void messages_unpin(struct call *call)
{
	pin_submit(call, false, pin_on_unpinned);
}
