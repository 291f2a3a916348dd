#include "im/messages/send_submit.h"

#include <inttypes.h>

#include "im/messages/forward.h"
#include "im/messages/send_entry.h"

void messages_init(struct messages *messages, const struct im_config *config, struct pg *pg, struct entry_writer *entries,
                   struct overload *overload, struct rates *rates)
{
	*messages = (struct messages){
		.config = config,
		.pg = pg,
		.entries = entries,
		.overload = overload,
		.rates = rates,
		.rate_limited = entry_writer_refusal_counter("reason=\"rate\""),
	};
}

#define CANNOT_STORE "messages cannot be stored at the moment"

/* Where the error was set before, the request is wrong, and the sender is told that it is too fast instead. */
static bool send_submit_take(struct messages *messages, enum rate_class class, struct str key, struct json_error *error,
                             uint64_t *wait_ms)
{
	if (rates_take(messages->rates, class, key, wait_ms))
		return true;
	counter_add(messages->rate_limited, 1);
	*error = (struct json_error){ 0 };
	json_fail(error, ERR_RATE_LIMITED, NULL, "%s, the next one is accepted in %" PRIu64 " ms",
	          rate_class_refusal(class), *wait_ms);
	return false;
}

static bool send_submit_take_of_conversation(struct messages *messages, struct str sender, const struct send_request *request,
                                             struct json_error *error, uint64_t *wait_ms)
{
	char id[CONVERSATION_ID_MAX + 1];
	size_t len = send_request_conversation(id, request, sender);

	return send_submit_take(messages, RATE_CONVERSATION, str_of(id, len), error, wait_ms);
}

struct entry *send_take(struct messages *messages, const struct entry_caller *caller, const struct send_request *request,
                        struct json_error *error, uint64_t *wait_ms)
{
	*wait_ms = 0;
	if (!send_submit_take(messages, RATE_SEND, caller->uid, error, wait_ms) || error->err)
		return NULL;
	if (!send_submit_take_of_conversation(messages, caller->uid, request, error, wait_ms)) {
		rates_give_back(messages->rates, &(struct rate_key){ .class = RATE_SEND, .key = caller->uid });
		return NULL;
	}
	return send_entry_new(request, caller, im_config_is_for_friends(messages->config));
}

void send_store(struct messages *messages, struct entry *entry)
{
	entry_done done = entry->done;
	void *arg = entry->arg;

	err_t err = entry_writer_submit(messages->entries, entry);
	if (err) {
		const struct entry_result result = { .err = err, .detail = CANNOT_STORE };
		done(arg, &result);
	}
}

static void send_on_forward_made(void *arg, struct entry *entry)
{
	if (entry)
		send_store(arg, entry);
}

void send_submit(struct messages *messages, const struct entry_caller *caller, const struct send_request *request,
                 struct json_error *error, uint64_t *wait_ms)
{
	struct entry *entry = send_take(messages, caller, request, error, wait_ms);

	if (!entry)
		return;
	if (request->forward.conversation_id.ptr) {
		forward_make(messages, &request->forward, entry, send_on_forward_made, messages);
		return;
	}
	err_t err = entry_writer_submit(messages->entries, entry);
	if (err) {
		*wait_ms = 1000ull * overload_retry_after_s(messages->overload) - 1;
		json_fail(error, err, NULL, CANNOT_STORE);
	}
}
