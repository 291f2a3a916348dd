#include "gateway/limits/connect_rates.h"

#include "base/clock.h"
#include "base/rate_limit.h"
#include "base/users/address.h"

#define CONNECT_RATES_MAX 100000

struct connect_rate {
	struct user_lru_entry entry;
	struct rate_limit bucket;
};

err_t connect_rates_init(struct connect_rates *rates, const struct gateway_config *config)
{
	rates->config = config;
	if (uv_mutex_init(&rates->lock))
		return ERR_NO_MEMORY;
	user_lru_init(&rates->addresses, CONNECT_RATES_MAX, sizeof(struct connect_rate));
	user_lru_init(&rates->users, CONNECT_RATES_MAX, sizeof(struct connect_rate));
	return OK;
}

void connect_rates_release(struct connect_rates *rates)
{
	user_lru_release(&rates->addresses);
	user_lru_release(&rates->users);
	uv_mutex_destroy(&rates->lock);
}

static bool connect_rates_take(struct connect_rates *rates, struct user_lru *buckets, struct str key,
                               int64_t per_second, int64_t burst)
{
	if (!rates->config->limits_enabled)
		return true;
	uv_mutex_lock(&rates->lock);
	struct connect_rate *rate = container_of(user_lru_make(buckets, key), struct connect_rate, entry);
	bool is_taken = rate_limit_take(&rate->bucket, (double)per_second, (double)burst, clock_mono_ms());
	uv_mutex_unlock(&rates->lock);
	return is_taken;
}

bool connect_rates_take_address(struct connect_rates *rates, struct str address)
{
	struct address key;

	address_from(&key, address);
	return connect_rates_take(rates, &rates->addresses, str_from(key.text), rates->config->limits_connect_address_rate,
	                          rates->config->limits_connect_address_burst);
}

bool connect_rates_take_user(struct connect_rates *rates, struct str uid)
{
	return connect_rates_take(rates, &rates->users, uid, rates->config->limits_connect_rate,
	                          rates->config->limits_connect_burst);
}
