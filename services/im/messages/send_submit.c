#include "im/messages/send_submit.h"

#include "base/clock.h"
#include "im/callers/user_rates.h"
#include "im/messages/send_entry.h"

static bool send_submit_is_over_rate(struct app *app, struct str uid, uint64_t *wait_ms)
{
	const struct im_config *config = &app->config;

	return config->limits_enabled &&
	       !user_rates_take(&app->send_rates, uid, (double)config->limits_send_rate, (double)config->limits_send_burst,
	                        clock_mono_ms(), wait_ms);
}

void send_submit(struct app *app, const struct entry_caller *caller, const struct send_request *request,
                 struct json_error *error, uint64_t *wait_ms)
{
	*wait_ms = 0;
	if (error->err)
		return;
	if (send_submit_is_over_rate(app, caller->uid, wait_ms)) {
		counter_add(app->rate_limited, 1);
		json_fail(error, ERR_RATE_LIMITED, NULL, "too many messages in a short time");
		return;
	}
	err_t err = entry_writer_submit(&app->entries, send_entry_new(request, caller));
	if (err) {
		*wait_ms = 1000ull * overload_retry_after_s(&app->overload) - 1;
		json_fail(error, err, NULL, "messages cannot be stored at the moment");
	}
}
