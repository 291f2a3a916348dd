#ifndef SKEIN_IM_STORED_MESSAGE_ROW_H
#define SKEIN_IM_STORED_MESSAGE_ROW_H

#include "im/stored/stored_message.h"
#include "store/pg/pg.h"

/*
 * An entry as a row of a statement's answer. Every statement that reads entries lists these columns in this order, after
 * columns of its own; message_row_read() is the only place that knows the order.
 */
#define MESSAGE_ROW_COLUMNS \
	"seq, msg_id, sender, client_msg_id, type, body, time, reply_to, mentions, target_seq, expires_at"

/* The columns of an entry as users see it, with edits and recalls applied. */
#define MESSAGE_ROW_SHOWN MESSAGE_ROW_COLUMNS ", is_edited, is_recalled"

/* Whether there is an entry in this row: a statement may answer a row of nulls. `first` is the column of `seq`. */
bool message_row_is_there(const PGresult *rows, int row, int first);

/* Reads the columns of MESSAGE_ROW_COLUMNS from `first` on. The texts belong to `rows`; `conversation_id` is not copied. */
struct stored_fields message_row_read(const PGresult *rows, int row, int first, struct str conversation_id);

/* Reads the other columns of MESSAGE_ROW_SHOWN, for stored_message_view(). Its `body` column is the body as it is shown. */
struct message_form message_row_form(const PGresult *rows, int row, int first);

/* Appends the message of the columns of MESSAGE_ROW_SHOWN as JSON, as `viewer` sees it. */
void message_row_put(struct buf *out, const PGresult *rows, int row, int first, struct str conversation_id, struct str viewer);

/* The same with reactions, a text of fn.reactions_in(). */
void message_row_put_reacted(struct buf *out, const PGresult *rows, int row, int first, struct str conversation_id,
                             struct str viewer, struct str reactions);

#endif
