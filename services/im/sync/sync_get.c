#include "im/http/call_replies.h"
#include "im/sync/sync.h"
#include "im/sync/sync_request.h"
#include "message/message_json.h"

/* as fn.im_conversations() */
static const struct pg_statement sync_conversations = {
	"conversations",
	"select id, last_seq, read_seq from fn.im_conversations($1::text)",
};

/* Writes the page without the closing brace. */
static void sync_get_put_page(struct call *call, const struct sync_page *page)
{
	struct buf *body = call_out(call);
	char epoch[INBOX_EPOCH_TEXT];

	inbox_epoch_text(epoch, page->epoch);
	buf_append_char(body, '{');
	json_put_field(body, "epoch", str_from(epoch));
	json_put_id_field(body, "head", page->head);
	json_put_id_field(body, "next_offset", page->next_offset);
	json_put_bool_field(body, "more", page->has_more);
	json_put_bool_field(body, "reset", page->is_reset);
	json_put_key(body, "messages");
	buf_append_char(body, '[');
	for (size_t i = 0; i < page->count; i++) {
		const Skein__V1__Message message = stored_message_view(page->entries[i].message, &page->entries[i].form,
		                                                       call_uid(call));

		if (i)
			buf_append_char(body, ',');
		buf_append_char(body, '{');
		json_put_id_field(body, "offset", page->first_offset + i);
		json_put_key(body, "message");
		message_json(body, &message);
		call_add_reply(call, page->entries[i].conversation_id, message.reply_to);
		buf_append_char(body, '}');
	}
	buf_append_char(body, ']');
	json_put_key(body, "hot");
	buf_append_str(body, STR("[]"));
}

static void sync_get_on_conversations(struct call *call, const PGresult *rows)
{
	struct buf *body = call_out(call);

	json_put_key(body, "conversations");
	buf_append_char(body, '[');
	for (int row = 0; row < PQntuples(rows); row++) {
		if (row)
			buf_append_char(body, ',');
		buf_append_char(body, '{');
		json_put_field(body, "conversation_id", pg_text(rows, row, 0));
		json_put_u64_field(body, "last_seq", (uint64_t)pg_i64(rows, row, 1));
		json_put_u64_field(body, "read_seq", (uint64_t)pg_i64(rows, row, 2));
		buf_append_char(body, '}');
	}
	buf_append_str(body, STR("]}"));
	call_ok(call, 200);
}

/*
 * The head of a reset was read before the conversations are. So a message that arrives meanwhile is behind the head or in the
 * conversations' seqs.
 */
static void sync_get_on_page(void *arg, err_t err, const struct sync_page *page)
{
	struct call *call = arg;
	struct pg_params params = { 0 };

	if (err == ERR_FAILED_PRECONDITION) {
		call_fail(call, ERR_INVALID_ARGUMENT, "offset", "offset is past the head of this epoch");
		return;
	}
	if (err) {
		call_fail(call, err, NULL, NULL);
		return;
	}
	sync_get_put_page(call, page);
	if (page->is_reset) {
		pg_put_text(&params, call_uid(call));
		call_query(call, &sync_conversations, &params, sync_get_on_conversations);
	} else {
		buf_append_char(call_out(call), '}');
		call_ok_with_replies(call);
	}
}

void sync_get(struct call *call)
{
	struct sync_request wanted;

	sync_request_read(&wanted, call_query_text(call, "epoch"), call_query_text(call, "offset"), call_query_text(call, "limit"),
	                  call_error(call));
	call_read_replies(call, SYNC_LIMIT_MAX);
	if (!call_finish_reading(call))
		return;
	sync_read(call_context(call), call_uid(call), wanted.has_position ? &wanted.position : NULL, wanted.limit,
	          SYNC_WITH_REACTIONS, sync_get_on_page, call);
}
