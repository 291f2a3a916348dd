#include "im/stored/message_row.h"

#include "base/mem.h"
#include "message/message_json.h"

/* The columns of MESSAGE_ROW_SHOWN, counted from `first`. */
enum message_column {
	COLUMN_SEQ, COLUMN_MSG_ID, COLUMN_SENDER, COLUMN_CLIENT_MSG_ID, COLUMN_TYPE, COLUMN_BODY, COLUMN_TIME, COLUMN_REPLY_TO,
	COLUMN_MENTIONS, COLUMN_TARGET_SEQ, COLUMN_EXPIRES_AT, COLUMN_IS_EDITED, COLUMN_IS_RECALLED,
};

bool message_row_is_there(const PGresult *rows, int row, int first)
{
	return !PQgetisnull(rows, row, first + COLUMN_SEQ);
}

struct stored_fields message_row_read(const PGresult *rows, int row, int first, struct str conversation_id)
{
	return (struct stored_fields){
		.conversation_id = conversation_id,
		.seq = (uint64_t)pg_i64(rows, row, first + COLUMN_SEQ),
		.msg_id = (uint64_t)pg_i64(rows, row, first + COLUMN_MSG_ID),
		.sender = pg_text(rows, row, first + COLUMN_SENDER),
		.client_msg_id = pg_text(rows, row, first + COLUMN_CLIENT_MSG_ID),
		.type = pg_text(rows, row, first + COLUMN_TYPE),
		.body = pg_text(rows, row, first + COLUMN_BODY),
		.time = (uint64_t)pg_i64(rows, row, first + COLUMN_TIME),
		.reply_to = (uint64_t)pg_i64(rows, row, first + COLUMN_REPLY_TO),
		.mentions = pg_text(rows, row, first + COLUMN_MENTIONS),
		.target_seq = (uint64_t)pg_i64(rows, row, first + COLUMN_TARGET_SEQ),
		.expires_at = (uint64_t)pg_i64(rows, row, first + COLUMN_EXPIRES_AT),
	};
}

struct message_form message_row_form(const PGresult *rows, int row, int first)
{
	return (struct message_form){
		.is_recalled = pg_bool(rows, row, first + COLUMN_IS_RECALLED),
		.is_edited = pg_bool(rows, row, first + COLUMN_IS_EDITED),
		.body = pg_text(rows, row, first + COLUMN_BODY),
	};
}

void message_row_put_reacted(struct buf *out, const PGresult *rows, int row, int first, struct str conversation_id,
                             struct str viewer, struct str reactions)
{
	const struct stored_fields fields = message_row_read(rows, row, first, conversation_id);
	struct message_form form = message_row_form(rows, row, first);
	struct stored_message *stored = stored_message_new(&fields);
	struct reaction_list *list = reaction_list_new(reactions);

	form.reactions = list;
	const Skein__V1__Message message = stored_message_view(stored, &form, viewer);
	message_json(out, &message);
	mem_free(list);
	stored_message_unref(stored);
}

void message_row_put(struct buf *out, const PGresult *rows, int row, int first, struct str conversation_id, struct str viewer)
{
	message_row_put_reacted(out, rows, row, first, conversation_id, viewer, STR(""));
}
