#ifndef SKEIN_GATEWAY_LIMITS_CONNECT_RATES_H
#define SKEIN_GATEWAY_LIMITS_CONNECT_RATES_H

#include <uv.h>

#include "base/users/user_lru.h"
#include "gateway/config.h"

/*
 * How often one address may ask for a connection, and one user may open one, at this gateway: a token bucket for each of the
 * 100,000 latest. A user whose devices come back again and again costs im a statement and router a bind each time. One table for
 * all workers, under a lock that is held for a lookup: a handshake costs a signature besides. Thread: any.
 */
struct connect_rates {
	const struct gateway_config *config;
	uv_mutex_t lock;
	struct user_lru addresses, users; /* guarded by lock */
};

err_t connect_rates_init(struct connect_rates *rates, const struct gateway_config *config) MUST_CHECK;
void connect_rates_release(struct connect_rates *rates);

/* False: over the rate. A second later there is room again: no rate is under one a second. `address` is without a port. */
bool connect_rates_take_address(struct connect_rates *rates, struct str address) MUST_CHECK;
bool connect_rates_take_user(struct connect_rates *rates, struct str uid) MUST_CHECK;

#endif
