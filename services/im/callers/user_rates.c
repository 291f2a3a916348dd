#include "im/callers/user_rates.h"

#include "base/rate_limit.h"

struct user_rate {
	struct user_lru_entry entry;
	struct rate_limit bucket;
};

void user_rates_init(struct user_lru *rates)
{
	user_lru_init(rates, USER_RATES_MAX, sizeof(struct user_rate));
}

bool user_rates_take(struct user_lru *rates, struct str uid, double per_second, double burst, uint64_t now_ms,
                     uint64_t *wait_ms)
{
	struct user_rate *rate = container_of(user_lru_make(rates, uid), struct user_rate, entry);

	if (rate_limit_take(&rate->bucket, per_second, burst, now_ms))
		return true;
	*wait_ms = rate_limit_wait_ms(&rate->bucket, per_second, burst, now_ms);
	return false;
}

void user_rates_give_back(struct user_lru *rates, struct str uid)
{
	struct user_lru_entry *entry = user_lru_find(rates, uid);

	if (entry)
		rate_limit_give_back(&container_of(entry, struct user_rate, entry)->bucket);
}
