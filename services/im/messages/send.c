#include "im/api.h"
#include "im/callers/authenticator.h"

#include "base/clock.h"
#include "base/text/json.h"
#include "base/mem.h"
#include "im/messages/send_submit.h"
#include "im/http/trace_context.h"

#define BATCH_REQUEST_MAX 100

static void put_result(struct buf *out, const struct entry_result *result)
{
	buf_append_char(out, '{');
	json_put_id_field(out, "msg_id", result->msg_id);
	json_put_field(out, "conversation_id", result->conversation_id);
	json_put_u64_field(out, "seq", (uint64_t)result->seq);
	json_put_u64_field(out, "time", (uint64_t)result->time);
	json_put_bool_field(out, "duplicate", result->is_duplicate);
	buf_append_char(out, '}');
}

static struct str trace_of(const struct http_request *request)
{
	return traceparent_or_none(http_request_header(request, "traceparent"));
}

/* ---- one ---- */

static void on_sent(void *arg, const struct entry_result *result)
{
	struct http_request *request = arg;
	struct buf body = { 0 };

	if (result->err) {
		http_respond_problem(request, result->err, result->field, result->detail);
		return;
	}
	put_result(&body, result);
	http_respond_json(request, 200, &body);
}

static void post(struct app *app, struct http_request *request, const struct caller *caller)
{
	struct json_error error = { 0 };
	struct send_request send;
	uint64_t wait_ms = 0;

	json_t *root = json_read(http_request_body(request), &error);
	send_request_from_json(&send, root, &error);
	const struct entry_caller sender = { caller->uid, trace_of(request), on_sent, request };
	send_submit(app, &sender, &send, &error, &wait_ms);
	if (error.err) {
		if (wait_ms)
			http_set_retry_after(request, (unsigned)(wait_ms / 1000 + 1));
		http_respond_problem(request, error.err, error.field, error.detail);
	}
	send_request_release(&send);
	json_decref(root);
}

/* Before anything is looked at: under overload most of what comes ends here, and has to cost little. */
static bool refuse_by_overload(struct app *app, struct http_request *request)
{
	if (!overload_refuses(&app->overload))
		return false;
	http_set_retry_after(request, overload_retry_after_s(&app->overload));
	http_respond_problem(request, ERR_UNAVAILABLE, NULL, "too many messages at the moment");
	return true;
}

void messages_api_send(struct http_request *request, void *arg)
{
	if (!refuse_by_overload(arg, request))
		auth_require(arg, request, post);
}

/* ---- many ---- */

/* A batch request: each item's part of the answer is written when it is known, and all are sent when the last one is. */
struct batch_request {
	struct http_request *request;
	size_t count, left;
	struct batch_item {
		struct batch_request *batch;
		struct buf answer;
	} items[];
};

static void respond_batch(struct batch_request *batch)
{
	struct buf body = { 0 };

	buf_append_str(&body, STR("{\"results\":["));
	for (size_t i = 0; i < batch->count; i++) {
		if (i)
			buf_append_char(&body, ',');
		buf_append_str(&body, buf_str(&batch->items[i].answer));
		buf_release(&batch->items[i].answer);
	}
	buf_append_str(&body, STR("]}"));
	http_respond_json(batch->request, 200, &body);
	mem_free(batch);
}

static void item_done(struct batch_item *item)
{
	if (--item->batch->left == 0)
		respond_batch(item->batch);
}

static void put_problem(struct batch_item *item, err_t err, const char *field, const char *detail)
{
	buf_append_str(&item->answer, STR("{\"error\":"));
	http_write_problem(&item->answer, err, field, detail);
	buf_append_char(&item->answer, '}');
}

static void on_item_sent(void *arg, const struct entry_result *result)
{
	struct batch_item *item = arg;

	if (result->err)
		put_problem(item, result->err, result->field, result->detail);
	else
		put_result(&item->answer, result);
	item_done(item);
}

static void submit_item(struct app *app, struct batch_item *item, const json_t *object, struct str uid, struct str trace)
{
	struct json_error error = { 0 };
	struct send_request send;
	uint64_t wait_ms;

	if (!json_is_object(object))
		json_fail(&error, ERR_INVALID_ARGUMENT, "messages", "each of messages must be an object");
	send_request_from_json(&send, object, &error);
	const struct entry_caller sender = { uid, trace, on_item_sent, item };
	send_submit(app, &sender, &send, &error, &wait_ms);
	send_request_release(&send);
	if (error.err) {
		put_problem(item, error.err, error.field, error.detail);
		item_done(item);
	}
}

static void submit_batch(struct app *app, struct http_request *request, const json_t *messages, struct str uid)
{
	size_t count = json_array_size(messages);
	struct str trace = trace_of(request);
	struct batch_request *batch = mem_zalloc(sizeof(*batch) + count * sizeof(batch->items[0]));

	batch->request = request;
	batch->count = count;
	batch->left = count + 1; /* one for this function */
	for (size_t i = 0; i < count; i++) {
		batch->items[i].batch = batch;
		submit_item(app, &batch->items[i], json_array_get(messages, i), uid, trace);
	}
	if (--batch->left == 0)
		respond_batch(batch);
}

static void post_batch(struct app *app, struct http_request *request, const struct caller *caller)
{
	struct json_error error = { 0 };

	json_t *root = json_read(http_request_body(request), &error);
	const json_t *messages = json_array_field(root, "messages", JSON_REQUIRED, BATCH_REQUEST_MAX, &error);
	if (!error.err && json_array_size(messages) == 0)
		json_fail(&error, ERR_INVALID_ARGUMENT, "messages", "messages must have 1 to %d items", BATCH_REQUEST_MAX);
	if (error.err)
		http_respond_problem(request, error.err, error.field, error.detail);
	else
		submit_batch(app, request, messages, caller->uid);
	json_decref(root);
}

void messages_api_send_batch(struct http_request *request, void *arg)
{
	if (!refuse_by_overload(arg, request))
		auth_require(arg, request, post_batch);
}
