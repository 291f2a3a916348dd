#include "im/messages/send_submit.h"

#include "im/messages/send_entry.h"

void messages_init(struct messages *messages, const struct im_config *config, struct entry_writer *entries,
                   struct overload *overload, struct rates *rates)
{
	*messages = (struct messages){
		.config = config,
		.entries = entries,
		.overload = overload,
		.rates = rates,
		.rate_limited = entry_writer_refusal_counter("reason=\"rate\""),
	};
}

bool messages_are_for_friends(const struct messages *messages)
{
	return messages->config->contacts_messages_from == MESSAGES_FROM_FRIENDS;
}

void send_submit(struct messages *messages, const struct entry_caller *caller, const struct send_request *request,
                 struct json_error *error, uint64_t *wait_ms)
{
	*wait_ms = 0;
	if (error->err)
		return;
	if (!rates_take(messages->rates, RATE_SEND, caller->uid, wait_ms)) {
		counter_add(messages->rate_limited, 1);
		json_fail(error, ERR_RATE_LIMITED, NULL, "%s", rates_refusal(RATE_SEND));
		return;
	}
	err_t err = entry_writer_submit(messages->entries, send_entry_new(request, caller, messages_are_for_friends(messages)));
	if (err) {
		*wait_ms = 1000ull * overload_retry_after_s(messages->overload) - 1;
		json_fail(error, err, NULL, "messages cannot be stored at the moment");
	}
}
