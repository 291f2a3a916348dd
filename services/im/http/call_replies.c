#include "im/http/call_replies.h"

#include "im/stored/message_row.h"

/* uid, conversations, seqs, characters of a text, bytes of other bodies -> as fn.replied_to() */
static const struct pg_statement replied_to = {
	"replied_to",
	"select is_shortened, " MESSAGE_ROW_SHOWN
	" from fn.replied_to($1::text, $2::text[], $3::bigint[], $4::integer, $5::integer)",
};

enum reply_column { REPLY_IS_SHORTENED, REPLY_MESSAGE };

/* Enough for the lines that quote a message. The replies of the longest page, of 500 messages, are no longer than a page may be. */
#define REPLY_TEXT_CHARACTERS 200
#define REPLY_BODY_BYTES 2048

/* A message that the page replies to. */
struct replied {
	struct str conversation_id;
	uint64_t seq;
};

struct reply_place {
	size_t at; /* in the answer: before the brace that closes a message */
	size_t row; /* of the message that it replies to */
};

struct call_replies {
	struct replied *asked; /* in the order of the statement; NULL: replies are not wanted */
	struct reply_place *places; /* in the order of the answer */
	size_t asked_count, place_count;
};

void call_read_replies(struct call *call, size_t max)
{
	static const char *const choices[] = { "false", "true", NULL };
	struct call_replies *replies = call_make_state(call, sizeof(*replies));

	if (call_query_choice(call, "replies", choices) == choices[0])
		return;
	replies->asked = call_alloc(call, max * sizeof(replies->asked[0]));
	replies->places = call_alloc(call, max * sizeof(replies->places[0]));
}

/* The row in which the statement will answer this message. */
static size_t reply_row(struct call *call, struct call_replies *replies, struct str conversation_id, uint64_t seq)
{
	for (size_t row = 0; row < replies->asked_count; row++)
		if (replies->asked[row].seq == seq && str_equal(replies->asked[row].conversation_id, conversation_id))
			return row;
	replies->asked[replies->asked_count] = (struct replied){ call_copy(call, conversation_id), seq };
	return replies->asked_count++;
}

void call_add_reply(struct call *call, struct str conversation_id, uint64_t reply_to)
{
	struct call_replies *replies = call_state(call);

	if (!replies->asked || reply_to == 0)
		return;
	replies->places[replies->place_count++] = (struct reply_place){
		.at = call_out(call)->len - 1,
		.row = reply_row(call, replies, conversation_id, reply_to),
	};
}

/* ---- the answer ---- */

static void reply_put_message(struct buf *out, const Skein__V1__Message *message, bool is_shortened)
{
	json_put_id_field(out, "msg_id", message->msg_id);
	json_put_field(out, "from", str_from(message->from));
	json_put_field(out, "type", str_from(message->type));
	if (*message->body) {
		json_put_key(out, "body");
		buf_append_text(out, message->body);
	}
	if (is_shortened && !message->expired)
		json_put_bool_field(out, "shortened", true);
	if (message->edited)
		json_put_bool_field(out, "edited", true);
	if (message->recalled)
		json_put_bool_field(out, "recalled", true);
	if (message->expired)
		json_put_bool_field(out, "expired", true);
}

/* A message that the caller cannot read is shown as its seq alone. */
static void reply_put(struct buf *out, const PGresult *rows, int row, const struct replied *replied, struct str viewer)
{
	json_put_key(out, "reply");
	buf_append_char(out, '{');
	json_put_u64_field(out, "seq", replied->seq);
	if (message_row_is_there(rows, row, REPLY_MESSAGE)) {
		const struct stored_fields fields = message_row_read(rows, row, REPLY_MESSAGE, replied->conversation_id);
		const struct message_form form = message_row_form(rows, row, REPLY_MESSAGE);
		struct stored_message *stored = stored_message_new(&fields);
		const Skein__V1__Message message = stored_message_view(stored, &form, viewer);
		reply_put_message(out, &message, pg_bool(rows, row, REPLY_IS_SHORTENED));
		stored_message_unref(stored);
	}
	buf_append_char(out, '}');
}

static void replies_on_rows(struct call *call, const PGresult *rows)
{
	const struct call_replies *replies = call_state(call);
	struct buf *out = call_out(call), page = *out;
	size_t copied = 0;

	*out = (struct buf){ 0 };
	for (size_t i = 0; i < replies->place_count; i++) {
		const struct reply_place *place = &replies->places[i];
		buf_append(out, page.ptr + copied, place->at - copied);
		copied = place->at;
		reply_put(out, rows, (int)place->row, &replies->asked[place->row], call_uid(call));
	}
	buf_append(out, page.ptr + copied, page.len - copied);
	buf_release(&page);
	call_ok(call, 200);
}

void call_ok_with_replies(struct call *call)
{
	const struct call_replies *replies = call_state(call);
	struct pg_params params = { 0 };

	if (replies->place_count == 0) {
		call_ok(call, 200);
		return;
	}
	pg_put_text(&params, call_uid(call));
	pg_array_begin(&params, PG_TEXT);
	for (size_t i = 0; i < replies->asked_count; i++)
		pg_array_text(&params, replies->asked[i].conversation_id);
	pg_array_end(&params);
	pg_array_begin(&params, PG_INT8);
	for (size_t i = 0; i < replies->asked_count; i++)
		pg_array_i64(&params, (int64_t)replies->asked[i].seq);
	pg_array_end(&params);
	pg_put_i32(&params, REPLY_TEXT_CHARACTERS);
	pg_put_i32(&params, REPLY_BODY_BYTES);
	call_query(call, &replied_to, &params, replies_on_rows);
}
