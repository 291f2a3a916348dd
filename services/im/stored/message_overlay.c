#include "im/stored/message_overlay.h"

#include "base/mem.h"

/* conversations, seqs, bytes -> as fn.changes_of() */
static const struct pg_statement message_overlay_statement = {
	"changes_of",
	"select ord, is_recalled, body, is_beyond from fn.changes_of($1::text[], $2::bigint[], $3::bigint)",
};

enum column { COLUMN_ORD, COLUMN_IS_RECALLED, COLUMN_BODY, COLUMN_IS_BEYOND };

struct message_overlay {
	struct message_wanted *wanted;
	size_t count;
	message_overlay_done done;
	void *arg;
	size_t asked_count;
	size_t asked[]; /* the indexes in `wanted` of the messages that the statement names, in its order */
};

/* The seq under which changes of this message are found; 0: it has none. The edits of a recalled message have no body. */
static uint64_t message_overlay_target(const struct stored_message *message)
{
	if (stored_message_is_content(message))
		return message->message.seq;
	return strcmp(message->message.type, "edit") == 0 ? message->message.target_seq : 0;
}

/* How many of the messages before `end` fit into a page. */
static size_t message_overlay_fit(const struct message_overlay *overlay, size_t end)
{
	size_t bytes = 0, shown = 0;

	for (; shown < end && bytes < MESSAGE_PAGE_BYTES; shown++) {
		const struct message_wanted *wanted = &overlay->wanted[shown];
		bytes += wanted->message->size;
		if (wanted->form.is_edited)
			bytes += wanted->form.body.len - strlen(wanted->message->message.body);
	}
	return shown;
}

static void message_overlay_on_rows(void *arg, err_t err, const PGresult *rows)
{
	struct message_overlay *overlay = arg;
	size_t end = overlay->count;

	for (int row = 0; !err && row < PQntuples(rows); row++) {
		size_t at = overlay->asked[pg_i64(rows, row, COLUMN_ORD) - 1];
		struct message_wanted *wanted = &overlay->wanted[at];
		if (pg_bool(rows, row, COLUMN_IS_BEYOND)) {
			end = at;
			break;
		}
		wanted->form.is_recalled = pg_bool(rows, row, COLUMN_IS_RECALLED);
		wanted->form.is_edited = !wanted->form.is_recalled && stored_message_is_content(wanted->message);
		if (wanted->form.is_edited)
			wanted->form.body = pg_text(rows, row, COLUMN_BODY);
	}
	overlay->done(overlay->arg, err ? ERR_UNAVAILABLE : OK, err ? 0 : message_overlay_fit(overlay, end));
	mem_free(overlay);
}

void message_overlay_read(struct pg *pg, struct message_wanted *wanted, size_t count, message_overlay_done done, void *arg)
{
	struct message_overlay *overlay = mem_alloc(sizeof(*overlay) + count * sizeof(overlay->asked[0]));
	struct pg_params params = { 0 };

	*overlay = (struct message_overlay){ .wanted = wanted, .count = count, .done = done, .arg = arg };
	for (size_t i = 0; i < count; i++) {
		wanted[i].form = (struct message_form){ 0 };
		if (message_overlay_target(wanted[i].message))
			overlay->asked[overlay->asked_count++] = i;
	}
	if (overlay->asked_count == 0) {
		done(arg, OK, count);
		mem_free(overlay);
		return;
	}
	pg_array_begin(&params, PG_TEXT);
	for (size_t i = 0; i < overlay->asked_count; i++)
		pg_array_text(&params, wanted[overlay->asked[i]].conversation_id);
	pg_array_end(&params);
	pg_array_begin(&params, PG_INT8);
	for (size_t i = 0; i < overlay->asked_count; i++)
		pg_array_i64(&params, (int64_t)message_overlay_target(wanted[overlay->asked[i]].message));
	pg_array_end(&params);
	pg_put_i64(&params, MESSAGE_PAGE_BYTES);
	pg_query(pg, PG_ANY_LANE, &message_overlay_statement, &params, message_overlay_on_rows, overlay);
}
