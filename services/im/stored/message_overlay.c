#include "im/stored/message_overlay.h"

#include "base/macros.h"
#include "base/mem.h"

#define MESSAGE_OVERLAY_CHANGES \
	"select ord, is_recalled, body, is_beyond, removed_at, null::text as reactions" \
	" from fn.changes_of($1::text[], $2::bigint[], $3::bigint, $4::text)"

/* conversations, seqs, bytes, viewer -> as fn.changes_of() */
static const struct pg_statement message_overlay_changes = { "changes_of", MESSAGE_OVERLAY_CHANGES };

/* The same, then which of them can have reactions -> and as fn.reactions_of() */
static const struct pg_statement message_overlay_all = {
	"changes_and_reactions_of",
	MESSAGE_OVERLAY_CHANGES " union all"
	" select ord, null, null, null, null, reactions from fn.reactions_of($4::text, $1::text[], $2::bigint[], $5::boolean[])",
};

enum column { COLUMN_ORD, COLUMN_IS_RECALLED, COLUMN_BODY, COLUMN_IS_BEYOND, COLUMN_REMOVED_AT, COLUMN_REACTIONS };

/* A message that the statement names. */
struct asked {
	size_t at; /* its index in `wanted` */
	struct reaction_list *reactions; /* NULL: none */
};

struct message_overlay {
	struct message_wanted *wanted;
	size_t count;
	message_overlay_done done;
	void *arg;
	size_t asked_count;
	struct asked asked[]; /* in the order of the statement */
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
		if (wanted->form.reactions)
			bytes += wanted->form.reactions->size;
	}
	return shown;
}

static void message_overlay_take_change(struct message_form *form, const struct stored_message *message, const PGresult *rows,
                                        int row)
{
	if (!PQgetisnull(rows, row, COLUMN_REMOVED_AT)) {
		form->removed_at = (uint64_t)pg_i64(rows, row, COLUMN_REMOVED_AT);
		return;
	}
	form->is_recalled = pg_bool(rows, row, COLUMN_IS_RECALLED);
	form->is_edited = !form->is_recalled && stored_message_is_content(message);
	if (form->is_edited)
		form->body = pg_text(rows, row, COLUMN_BODY);
}

static void message_overlay_on_rows(void *arg, err_t err, const PGresult *rows)
{
	struct message_overlay *overlay = arg;
	size_t end = overlay->count;

	for (int row = 0; !err && row < PQntuples(rows); row++) {
		struct asked *asked = &overlay->asked[pg_i64(rows, row, COLUMN_ORD) - 1];
		struct message_wanted *wanted = &overlay->wanted[asked->at];
		struct str reactions = pg_text(rows, row, COLUMN_REACTIONS);

		if (reactions.len)
			wanted->form.reactions = asked->reactions = reaction_list_new(reactions);
		else if (pg_bool(rows, row, COLUMN_IS_BEYOND))
			end = MIN(end, asked->at);
		else
			message_overlay_take_change(&wanted->form, wanted->message, rows, row);
	}
	overlay->done(overlay->arg, err ? ERR_UNAVAILABLE : OK, err ? 0 : message_overlay_fit(overlay, end));
	for (size_t i = 0; i < overlay->asked_count; i++)
		mem_free(overlay->asked[i].reactions);
	mem_free(overlay);
}

static void message_overlay_put_content(struct pg_params *params, const struct message_overlay *overlay)
{
	pg_array_begin(params, PG_BOOL);
	for (size_t i = 0; i < overlay->asked_count; i++)
		pg_array_bool(params, stored_message_is_content(overlay->wanted[overlay->asked[i].at].message));
	pg_array_end(params);
}

void message_overlay_read(struct pg *pg, struct message_wanted *wanted, size_t count, struct message_viewer viewer,
                          message_overlay_done done, void *arg)
{
	struct message_overlay *overlay = mem_alloc(sizeof(*overlay) + count * sizeof(overlay->asked[0]));
	struct pg_params params = { 0 };

	*overlay = (struct message_overlay){ .wanted = wanted, .count = count, .done = done, .arg = arg };
	for (size_t i = 0; i < count; i++) {
		wanted[i].form = (struct message_form){ 0 };
		if (message_overlay_target(wanted[i].message))
			overlay->asked[overlay->asked_count++] = (struct asked){ .at = i };
	}
	if (overlay->asked_count == 0) {
		done(arg, OK, count);
		mem_free(overlay);
		return;
	}
	pg_array_begin(&params, PG_TEXT);
	for (size_t i = 0; i < overlay->asked_count; i++)
		pg_array_text(&params, wanted[overlay->asked[i].at].conversation_id);
	pg_array_end(&params);
	pg_array_begin(&params, PG_INT8);
	for (size_t i = 0; i < overlay->asked_count; i++)
		pg_array_i64(&params, (int64_t)message_overlay_target(wanted[overlay->asked[i].at].message));
	pg_array_end(&params);
	pg_put_i64(&params, MESSAGE_PAGE_BYTES);
	pg_put_text(&params, viewer.uid);
	if (viewer.sees_reactions)
		message_overlay_put_content(&params, overlay);
	pg_query(pg, PG_ANY_LANE, viewer.sees_reactions ? &message_overlay_all : &message_overlay_changes, &params,
	         message_overlay_on_rows, overlay);
}
