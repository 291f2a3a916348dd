#include "im/rpc/rpc_api.h"

#include "base/mem.h"
#include "im/conversations/conversation_signals.h"
#include "im/messages/send_submit.h"
#include "im/sync/sync_request.h"
#include "im/events/receipts.h"
#include "im/http/trace_context.h"
#include "proto/im.pb-c.h"

/* A send that waits for the admission of its user. */
struct pending_send {
	struct rpc_api *api;
	struct rpc_call *call;
	Skein__V1__SendRequest *message;
};

static void rpc_api_on_sent(void *arg, const struct entry_result *result)
{
	struct rpc_call *call = arg;
	Skein__V1__SendResponse response = SKEIN__V1__SEND_RESPONSE__INIT;
	uint8_t bytes[CONVERSATION_ID_MAX + 64];

	if (result->err) {
		rpc_reply_error(call, result->err, result->detail);
		return;
	}
	response.msg_id = result->msg_id;
	response.conversation_id = (char *)result->conversation_id.ptr;
	response.seq = (uint64_t)result->seq;
	response.time = (uint64_t)result->time;
	response.duplicate = result->is_duplicate;
	rpc_reply(call, str_of(bytes, skein__v1__send_response__pack(&response, bytes)));
}

static void rpc_api_submit(struct rpc_api *api, struct rpc_call *call, const Skein__V1__SendRequest *message)
{
	struct json_error error = { 0 };
	struct send_request send;
	uint64_t wait_ms;

	send_request_from_proto(&send, message, api->max_body, &error);
	const struct entry_caller sender = { str_from(message->from), traceparent_or_none(rpc_call_traceparent(call)),
		                             rpc_api_on_sent, call };
	send_submit(api->messages, &sender, &send, &error, &wait_ms);
	send_request_release(&send);
	if (error.err)
		rpc_reply_error(call, error.err, error.detail);
}

static void rpc_api_on_sender_admitted(void *arg, err_t err, const struct known_user *user)
{
	struct pending_send *pending = arg;
	(void)user;

	if (err)
		rpc_reply_error(pending->call, err, NULL);
	else
		rpc_api_submit(pending->api, pending->call, pending->message);
	skein__v1__send_request__free_unpacked(pending->message, NULL);
	mem_free(pending);
}

static void rpc_api_send(struct rpc_call *call, struct str request, void *arg)
{
	struct rpc_api *api = arg;

	if (overload_refuses(api->messages->overload)) {
		rpc_reply_error(call, ERR_UNAVAILABLE, "too many messages at the moment");
		return;
	}
	Skein__V1__SendRequest *message = skein__v1__send_request__unpack(NULL, request.len, (const uint8_t *)request.ptr);

	if (!message || !ident_is_valid(str_from(message->from))) {
		rpc_reply_error(call, ERR_INVALID_ARGUMENT, message ? "from is not a uid" : "not a SendRequest");
	} else if (!known_users_find(api->known_users, str_from(message->from))) {
		static const struct user_token checked = { .issued_ms = USER_TOKEN_CHECKED };
		struct pending_send *pending = MEM_NEW(struct pending_send);
		*pending = (struct pending_send){ api, call, message };
		known_users_admit(api->known_users, str_from(message->from), &checked, rpc_api_on_sender_admitted, pending);
		return;
	} else {
		rpc_api_submit(api, call, message);
	}
	if (message)
		skein__v1__send_request__free_unpacked(message, NULL);
}

static void rpc_api_on_admitted(void *arg, err_t err, const struct known_user *user)
{
	struct rpc_call *call = arg;
	(void)user;

	if (err)
		rpc_reply_error(call, err, NULL);
	else
		rpc_reply(call, (struct str){ 0 }); /* AdmitResponse has no fields */
}

static void rpc_api_admit(struct rpc_call *call, struct str request, void *arg)
{
	struct rpc_api *api = arg;
	Skein__V1__AdmitRequest *message = skein__v1__admit_request__unpack(NULL, request.len, (const uint8_t *)request.ptr);

	struct user_token token = { .issued_ms = USER_TOKEN_CHECKED };

	if (message && message->token_id.len)
		token = (struct user_token){ str_of(message->token_id.data, message->token_id.len), message->issued_ms };
	if (!message || !ident_is_valid(str_from(message->uid)))
		rpc_reply_error(call, ERR_INVALID_ARGUMENT, "uid is not a uid");
	else if (token.id.len && token.id.len != JWT_TOKEN_ID_BYTES)
		rpc_reply_error(call, ERR_INVALID_ARGUMENT, "token_id is not 16 bytes");
	else if (id_set_have(&api->changes->revoked, token.id))
		rpc_reply_error(call, ERR_UNAUTHENTICATED, NULL);
	else
		known_users_admit(api->known_users, str_from(message->uid), &token, rpc_api_on_admitted, call);
	if (message)
		skein__v1__admit_request__free_unpacked(message, NULL);
}

/* A sync that waits for its page. */
struct pending_page {
	struct rpc_call *call;
	Skein__V1__SyncRequest *message;
};

struct page_view {
	Skein__V1__SyncEntry entry;
	Skein__V1__Message message;
};

static void rpc_api_reply_page(struct rpc_call *call, const struct sync_page *page, struct str viewer)
{
	Skein__V1__SyncResponse response = SKEIN__V1__SYNC_RESPONSE__INIT;
	struct page_view *views = mem_alloc(page->count * sizeof(*views));
	Skein__V1__SyncEntry **entries = mem_alloc(page->count * sizeof(*entries));
	struct buf bytes = { 0 };

	response.epoch = page->epoch;
	response.head = page->head;
	response.next_offset = page->next_offset;
	response.more = page->has_more;
	response.reset = page->is_reset;
	for (size_t i = 0; i < page->count; i++) {
		struct page_view *view = &views[i];
		view->message = stored_message_view(page->entries[i].message, &page->entries[i].form, viewer);
		view->entry = (Skein__V1__SyncEntry)SKEIN__V1__SYNC_ENTRY__INIT;
		view->entry.offset = page->first_offset + i;
		view->entry.message = &view->message;
		entries[i] = &view->entry;
	}
	response.n_entries = page->count;
	response.entries = entries;
	buf_reserve(&bytes, skein__v1__sync_response__get_packed_size(&response));
	bytes.len = skein__v1__sync_response__pack(&response, (uint8_t *)bytes.ptr);
	rpc_reply(call, buf_str(&bytes));
	buf_release(&bytes);
	mem_free(entries);
	mem_free(views);
}

static void rpc_api_on_page(void *arg, err_t err, const struct sync_page *page)
{
	struct pending_page *pending = arg;

	if (err)
		rpc_reply_error(pending->call, err,
		                err == ERR_FAILED_PRECONDITION ? "offset is past the head of this epoch" : NULL);
	else
		rpc_api_reply_page(pending->call, page, str_from(pending->message->uid));
	skein__v1__sync_request__free_unpacked(pending->message, NULL);
	mem_free(pending);
}

static void rpc_api_sync(struct rpc_call *call, struct str request, void *arg)
{
	struct rpc_api *api = arg;
	Skein__V1__SyncRequest *message = skein__v1__sync_request__unpack(NULL, request.len, (const uint8_t *)request.ptr);

	if (!message || !ident_is_valid(str_from(message->uid)) || message->limit < 1 || message->limit > SYNC_LIMIT_MAX) {
		rpc_reply_error(call, ERR_INVALID_ARGUMENT, "uid is not a uid, or limit is not 1 to 500");
		if (message)
			skein__v1__sync_request__free_unpacked(message, NULL);
		return;
	}
	const struct inbox_position position = { .epoch = message->epoch, .offset = message->offset };
	struct pending_page *pending = MEM_NEW(struct pending_page);
	*pending = (struct pending_page){ call, message };
	sync_read(api->sync, str_from(message->uid), &position, message->limit, SYNC_PLAIN, rpc_api_on_page, pending);
}

static void rpc_api_delivered(struct rpc_call *call, struct str request, void *arg)
{
	struct rpc_api *api = arg;
	Skein__V1__DeliveredRequest *message =
		skein__v1__delivered_request__unpack(NULL, request.len, (const uint8_t *)request.ptr);

	if (message && receipts_are_valid(message) && acked_ranges_are_valid(message)) {
		receipts_emit(api->events, message);
		acked_ranges_take(api->acked_ranges, message);
		rpc_reply(call, (struct str){ 0 }); /* DeliveredResponse has no fields */
		return;
	}
	rpc_reply_error(call, ERR_INVALID_ARGUMENT, "a receipt names no message of its user, or a range no numbers");
	if (message)
		skein__v1__delivered_request__free_unpacked(message, NULL);
}

static void rpc_api_on_signal_done(void *arg, err_t err, const char *detail)
{
	struct rpc_call *call = arg;

	if (err)
		rpc_reply_error(call, err, detail);
	else
		rpc_reply(call, (struct str){ 0 }); /* neither ReadResponse nor TypingResponse has fields */
}

static void rpc_api_read(struct rpc_call *call, struct str request, void *arg)
{
	struct rpc_api *api = arg;
	Skein__V1__ReadRequest *message = skein__v1__read_request__unpack(NULL, request.len, (const uint8_t *)request.ptr);

	if (!message) {
		rpc_reply_error(call, ERR_INVALID_ARGUMENT, "not a ReadRequest");
		return;
	}
	struct conversation_signal signal = { .uid = str_from(message->uid),
		                              .conversation_id = str_from(message->conversation_id),
		                              .seq = message->seq,
		                              .traceparent = traceparent_or_none(rpc_call_traceparent(call)) };
	if (message->reader)
		signal.reader = (struct routed_connection){ message->reader->node_epoch, message->reader->conn };
	conversation_signal_read(api->conversations, &signal, rpc_api_on_signal_done, call);
	skein__v1__read_request__free_unpacked(message, NULL);
}

static void rpc_api_type(struct rpc_api *api, struct rpc_call *call, struct str request, bool is_unheard)
{
	Skein__V1__TypingRequest *message =
		skein__v1__typing_request__unpack(NULL, request.len, (const uint8_t *)request.ptr);

	if (!message) {
		rpc_reply_error(call, ERR_INVALID_ARGUMENT, "not a TypingRequest");
		return;
	}
	const struct conversation_signal signal = { .uid = str_from(message->uid),
		                                    .conversation_id = str_from(message->conversation_id),
		                                    .is_unheard = is_unheard,
		                                    .traceparent = traceparent_or_none(rpc_call_traceparent(call)) };
	conversation_signal_typing(api->conversations, &signal, rpc_api_on_signal_done, call);
	skein__v1__typing_request__free_unpacked(message, NULL);
}

static void rpc_api_typing(struct rpc_call *call, struct str request, void *arg)
{
	rpc_api_type(arg, call, request, false);
}

static void rpc_api_may_type(struct rpc_call *call, struct str request, void *arg)
{
	rpc_api_type(arg, call, request, true);
}

const struct rpc_method rpc_api_methods[] = {
	{ .path = "/skein.v1.Im/Send", .unary = rpc_api_send },
	{ .path = "/skein.v1.Im/Admit", .unary = rpc_api_admit },
	{ .path = "/skein.v1.Im/Sync", .unary = rpc_api_sync },
	{ .path = "/skein.v1.Im/Delivered", .unary = rpc_api_delivered },
	{ .path = "/skein.v1.Im/Read", .unary = rpc_api_read },
	{ .path = "/skein.v1.Im/Typing", .unary = rpc_api_typing },
	{ .path = "/skein.v1.Im/MayType", .unary = rpc_api_may_type },
};

const size_t rpc_api_method_count = ARRAY_LEN(rpc_api_methods);
