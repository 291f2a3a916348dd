#include "im/callers/rates.h"

#include "base/clock.h"
#include "im/callers/user_rates.h"

struct rates_limit {
	double per_second, burst;
};

static struct rates_limit rates_limit_of(const struct im_config *config, enum rate_class class)
{
	switch (class) {
	case RATE_SEND:
		return (struct rates_limit){ (double)config->limits_send_rate, (double)config->limits_send_burst };
	case RATE_LOGIN:
		return (struct rates_limit){ 1000.0 / (double)config->limits_login_interval_ms,
			                     (double)config->limits_login_burst };
	case RATE_LOGIN_ADDRESS:
		return (struct rates_limit){ 1000.0 / (double)config->limits_login_address_interval_ms,
			                     (double)config->limits_login_address_burst };
	case RATE_REGISTER:
		return (struct rates_limit){ 1000.0 / (double)config->limits_register_interval_ms,
			                     (double)config->limits_register_burst };
	case RATE_LOGOUT:
		return (struct rates_limit){ 1000.0 / (double)config->limits_logout_interval_ms,
			                     (double)config->limits_logout_burst };
	case RATE_NONE:
	case RATE_CLASSES:
		break;
	}
	return (struct rates_limit){ 0 };
}

void rates_init(struct rates *rates, const struct im_config *config)
{
	static const char *const labels[RATE_CLASSES] = {
		[RATE_SEND] = "class=\"send\"",
		[RATE_LOGIN] = "class=\"login\"",
		[RATE_LOGIN_ADDRESS] = "class=\"login_address\"",
		[RATE_REGISTER] = "class=\"register\"",
		[RATE_LOGOUT] = "class=\"logout\"",
	};

	rates->config = config;
	for (int class = 0; class < RATE_CLASSES; class ++) {
		user_rates_init(&rates->buckets[class]);
		rates->refused[class] = labels[class] ? metrics_counter("skein_im_rate_limited_total",
		                                                        "Actions over the rate of a user or an address.",
		                                                        labels[class]) :
		                                        NULL;
	}
}

void rates_release(struct rates *rates)
{
	for (int class = 0; class < RATE_CLASSES; class ++)
		user_lru_release(&rates->buckets[class]);
}

bool rates_take(struct rates *rates, enum rate_class class, struct str key, uint64_t *wait_ms)
{
	const struct rates_limit limit = rates_limit_of(rates->config, class);

	if (class == RATE_NONE || !rates->config->limits_enabled)
		return true;
	if (user_rates_take(&rates->buckets[class], key, limit.per_second, limit.burst, clock_mono_ms(), wait_ms))
		return true;
	counter_add(rates->refused[class], 1);
	return false;
}

void rates_give_back(struct rates *rates, enum rate_class class, struct str key)
{
	if (class != RATE_NONE && rates->config->limits_enabled)
		user_rates_give_back(&rates->buckets[class], key);
}

const char *rates_refusal(enum rate_class class)
{
	switch (class) {
	case RATE_SEND:
		return "too many messages in a short time";
	case RATE_LOGIN:
		return "too many wrong passwords of this user";
	case RATE_LOGIN_ADDRESS:
		return "too many wrong passwords from this address";
	case RATE_REGISTER:
		return "too many registrations from this address";
	case RATE_LOGOUT:
		return "too many logouts of this user";
	case RATE_NONE:
	case RATE_CLASSES:
		break;
	}
	return NULL;
}
