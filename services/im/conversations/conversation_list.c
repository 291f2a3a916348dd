#include "im/conversations/conversations.h"
#include "im/http/page.h"
#include "im/stored/message_row.h"

/* caller, place of the page before or '', limit -> conversations, each with its last message or NULLs */
static const struct pg_statement conversation_list = {
	"conversation_list",
	"select place, $1::text, id, kind, title, last_seq, read_seq, unread, is_mentioned, is_pinned, is_muted, is_long, "
	MESSAGE_ROW_SHOWN
	" from fn.conversation_list($1::text, nullif(split_part($2::text, '.', 1), '')::integer::boolean,"
	" nullif(split_part($2::text, '.', 2), '')::bigint, nullif(split_part($2::text, '.', 3), '')::bigint, $3::integer)",
};

enum conversation_column { LIST_PLACE, LIST_CALLER, LIST_ID, LIST_KIND, LIST_TITLE, LIST_LAST_SEQ, LIST_READ_SEQ, LIST_UNREAD,
	                   LIST_IS_MENTIONED, LIST_IS_PINNED, LIST_IS_MUTED, LIST_IS_LONG, LIST_MESSAGE };

static void conversation_put(struct buf *out, const PGresult *result, int row)
{
	struct str id = pg_text(result, row, LIST_ID);
	bool is_group = pg_i64(result, row, LIST_KIND) == CONVERSATION_GROUP;

	buf_append_char(out, '{');
	json_put_field(out, "id", id);
	json_put_field(out, "kind", is_group ? STR("group") : STR("direct"));
	json_put_field(out, "title", pg_text(result, row, LIST_TITLE));
	if (message_row_is_there(result, row, LIST_MESSAGE)) {
		json_put_key(out, "last");
		message_row_put(out, result, row, LIST_MESSAGE, id, pg_text(result, row, LIST_CALLER));
	}
	json_put_u64_field(out, "last_seq", (uint64_t)pg_i64(result, row, LIST_LAST_SEQ));
	json_put_u64_field(out, "read_seq", (uint64_t)pg_i64(result, row, LIST_READ_SEQ));
	json_put_u64_field(out, "unread", (uint64_t)pg_i64(result, row, LIST_UNREAD));
	json_put_bool_field(out, "mentioned", pg_bool(result, row, LIST_IS_MENTIONED));
	json_put_bool_field(out, "pinned", pg_bool(result, row, LIST_IS_PINNED));
	json_put_bool_field(out, "muted", pg_bool(result, row, LIST_IS_MUTED));
	buf_append_char(out, '}');
}

/* "1.383412345678901248.17": pinned, the id of the last entry that moved it, its number. */
static bool conversation_place_is_valid(struct str place)
{
	struct str pinned = str_cut(&place, '.'), moved = str_cut(&place, '.');
	int64_t number;

	return (str_equal(pinned, STR("0")) || str_equal(pinned, STR("1"))) && str_to_i64(moved, &number) &&
	       str_to_i64(place, &number);
}

static void conversation_list_was_read(struct call *call, const PGresult *result)
{
	struct conversations *conversations = call_context(call);

	if (PQntuples(result) > 0 && pg_bool(result, 0, LIST_IS_LONG))
		rest_walks_see(&conversations->rest_walks, call_uid(call));
}

static const struct paged_list conversations = {
	&conversation_list,
	"conversations",
	.key = LIST_PLACE,
	.is_key = conversation_place_is_valid,
	.put = conversation_put,
	.was_read = conversation_list_was_read,
};

void conversations_list(struct call *call)
{
	struct pg_params params = { 0 };

	pg_put_text(&params, call_uid(call));
	call_list(call, &conversations, &params);
}
