#include "im/http/call.h"
#include "im/http/call_entry.h"
#include "im/messages/forward.h"
#include "im/messages/send_submit.h"
#include "net/http/http_server.h"

#define SEND_BATCH_MAX 100

/*
 * Sends are stored in the order of the batch, so none is submitted before the bodies of all forwards are made. Each item's part of
 * the answer is written when its outcome is known. The answer is sent after the last one.
 */
struct send_batch {
	struct call *call;
	size_t count, unmade, left;
	struct send_batch_item {
		struct send_batch *batch;
		struct entry *entry; /* to be submitted; NULL: refused */
		struct buf answer;
	} items[];
};

static void send_batch_item_done(struct send_batch *batch)
{
	struct buf *out = call_out(batch->call);

	if (--batch->left > 0)
		return;
	buf_append_str(out, STR("{\"results\":["));
	for (size_t i = 0; i < batch->count; i++) {
		if (i)
			buf_append_char(out, ',');
		buf_append_str(out, buf_str(&batch->items[i].answer));
		buf_release(&batch->items[i].answer);
	}
	buf_append_str(out, STR("]}"));
	call_ok(batch->call, 200);
}

static void send_batch_put_problem(struct send_batch_item *item, err_t err, const char *field, const char *detail)
{
	buf_append_str(&item->answer, STR("{\"error\":"));
	http_write_problem(&item->answer, err, field, detail);
	buf_append_char(&item->answer, '}');
}

static void send_batch_on_decided(void *arg, const struct entry_result *result)
{
	struct send_batch_item *item = arg;

	if (result->err)
		send_batch_put_problem(item, result->err, result->field, result->detail);
	else
		entry_result_put(&item->answer, result);
	send_batch_item_done(item->batch);
}

static void send_batch_store_if_made(struct send_batch *batch)
{
	if (batch->unmade > 0)
		return;
	for (size_t i = 0; i < batch->count; i++)
		if (batch->items[i].entry)
			send_store(call_context(batch->call), batch->items[i].entry);
	send_batch_item_done(batch);
}

static void send_batch_on_made(void *arg, struct entry *entry)
{
	struct send_batch_item *item = arg;

	item->entry = entry;
	item->batch->unmade--;
	send_batch_store_if_made(item->batch);
}

static void send_batch_take(struct send_batch_item *item, const json_t *object)
{
	struct call *call = item->batch->call;
	struct json_error error = { 0 };
	struct send_request send;
	uint64_t wait_ms;

	if (!json_is_object(object))
		json_fail(&error, ERR_INVALID_ARGUMENT, "messages", "each of messages must be an object");
	send_request_from_json(&send, object, &error);
	const struct entry_caller sender = { call_uid(call), call_trace(call), send_batch_on_decided, item };
	item->entry = send_take(call_context(call), &sender, &send, &error, &wait_ms);
	if (error.err) {
		send_batch_put_problem(item, error.err, error.field, error.detail);
		send_batch_item_done(item->batch);
	} else if (send.forward.conversation_id.ptr) {
		item->batch->unmade++;
		forward_make(call_context(call), &send.forward, item->entry, send_batch_on_made, item);
		item->entry = NULL;
	}
	send_request_release(&send);
}

void messages_send_batch(struct call *call)
{
	const json_t *messages = call_array(call, "messages", JSON_REQUIRED, SEND_BATCH_MAX);
	size_t count = json_array_size(messages);

	if (count == 0)
		call_reject(call, ERR_INVALID_ARGUMENT, "messages", "messages must have 1 to %d items", SEND_BATCH_MAX);
	if (!call_check_reading(call))
		return;
	struct send_batch *batch = call_alloc(call, sizeof(*batch) + count * sizeof(batch->items[0]));
	batch->call = call;
	batch->count = count;
	batch->unmade = 0;
	batch->left = count + 1; /* one for send_batch_store_if_made() */
	for (size_t i = 0; i < count; i++) {
		batch->items[i].batch = batch;
		send_batch_take(&batch->items[i], json_array_get(messages, i));
	}
	call_leave(call);
	send_batch_store_if_made(batch);
}
