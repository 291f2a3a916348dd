#include "im/messages/send_submit.h"

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

struct entry *send_take(struct messages *messages, const struct entry_caller *caller, const struct send_request *request,
                        struct json_error *error, uint64_t *wait_ms)
{
	bool is_for_friends = messages->config->contacts_messages_from == MESSAGES_FROM_FRIENDS;

	*wait_ms = 0;
	if (error->err)
		return NULL;
	if (rates_take(messages->rates, RATE_SEND, caller->uid, wait_ms))
		return send_entry_new(request, caller, is_for_friends);
	counter_add(messages->rate_limited, 1);
	json_fail(error, ERR_RATE_LIMITED, NULL, "%s", rates_refusal(RATE_SEND));
	return NULL;
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
