#include "im/api.h"
#include "im/callers/authenticator.h"

#include "base/mem.h"
#include "im/sync/sync_request.h"
#include "message/message_json.h"

/* as fn.im_conversations() */
static const struct pg_statement sync_conversations = {
	"conversations",
	"select id, last_seq, read_seq from fn.im_conversations($1::text)",
};

/* A sync while its page is being read; after a reset, while the conversations are. */
struct pending_sync {
	struct app *app;
	struct http_request *request;
	struct caller caller;
	struct buf body; /* after a reset: the answer up to its conversations */
};

static void put_messages(struct buf *body, const struct sync_page *page, struct str viewer)
{
	json_put_key(body, "messages");
	buf_append_char(body, '[');
	for (size_t i = 0; i < page->count; i++) {
		const Skein__V1__Message message = stored_message_view(page->entries[i].message, &page->entries[i].form, viewer);

		if (i)
			buf_append_char(body, ',');
		buf_append_char(body, '{');
		json_put_id_field(body, "offset", page->first_offset + i);
		json_put_key(body, "message");
		message_json(body, &message);
		buf_append_char(body, '}');
	}
	buf_append_char(body, ']');
}

/* All but the closing brace. */
static void put_page(struct buf *body, const struct sync_page *page, struct str viewer)
{
	char epoch[INBOX_EPOCH_TEXT];

	inbox_epoch_text(epoch, page->epoch);
	buf_append_char(body, '{');
	json_put_field(body, "epoch", str_from(epoch));
	json_put_id_field(body, "head", page->head);
	json_put_id_field(body, "next_offset", page->next_offset);
	json_put_bool_field(body, "more", page->has_more);
	json_put_bool_field(body, "reset", page->is_reset);
	put_messages(body, page, viewer);
	json_put_key(body, "hot");
	buf_append_str(body, STR("[]"));
}

static void put_conversations(struct buf *body, const PGresult *rows)
{
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
	buf_append_char(body, ']');
}

static void release(struct pending_sync *pending)
{
	buf_release(&pending->body);
	mem_free(pending);
}

static void on_conversations(void *arg, err_t err, const PGresult *rows)
{
	struct pending_sync *pending = arg;

	if (err) {
		http_respond_problem(pending->request, ERR_UNAVAILABLE, NULL, NULL);
	} else {
		put_conversations(&pending->body, rows);
		buf_append_char(&pending->body, '}');
		http_respond_json(pending->request, 200, &pending->body);
	}
	release(pending);
}

static void refuse(struct http_request *request, err_t err)
{
	if (err == ERR_FAILED_PRECONDITION)
		http_respond_problem(request, ERR_INVALID_ARGUMENT, "offset", "offset is past the head of this epoch");
	else
		http_respond_problem(request, err, NULL, NULL);
}

/* The head of a reset is what the inbox had before the conversations are read: what comes meanwhile is in one of the two. */
static void on_page(void *arg, err_t err, const struct sync_page *page)
{
	struct pending_sync *pending = arg;

	if (err) {
		refuse(pending->request, err);
		release(pending);
		return;
	}
	put_page(&pending->body, page, pending->caller.uid);
	if (page->is_reset) {
		struct pg_params params = { 0 };
		pg_put_text(&params, pending->caller.uid);
		pg_query(pending->app->pg.calls, PG_ANY_LANE, &sync_conversations, &params, on_conversations, pending);
		return;
	}
	buf_append_char(&pending->body, '}');
	http_respond_json(pending->request, 200, &pending->body);
	release(pending);
}

static void read_sync(struct app *app, struct http_request *request, const struct caller *caller)
{
	struct json_error error = { 0 };
	struct sync_request wanted;

	sync_request_read(&wanted, http_request_query(request, "epoch"), http_request_query(request, "offset"),
	                  http_request_query(request, "limit"), &error);
	if (error.err) {
		http_respond_problem(request, error.err, error.field, error.detail);
		return;
	}
	struct pending_sync *pending = MEM_NEW(struct pending_sync);
	*pending = (struct pending_sync){ .app = app, .request = request, .caller = *caller };
	pending->caller.uid.ptr = pending->caller.text;
	sync_read(&app->sync, pending->caller.uid, wanted.has_position ? &wanted.position : NULL, wanted.limit, on_page, pending);
}

void sync_api_read(struct http_request *request, void *arg)
{
	auth_require(arg, request, read_sync);
}
