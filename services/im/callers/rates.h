#ifndef SKEIN_IM_CALLERS_RATES_H
#define SKEIN_IM_CALLERS_RATES_H

#include "base/telemetry/metrics.h"
#include "im/callers/user_lru.h"
#include "im/config.h"

/*
 * Limits how often one user may do something, or one address. A class is one kind of action, with a bucket for each user or
 * address and limits from the configuration; each process counts for itself. The least recently used of 100,000 buckets makes
 * room. `limits.enabled` switches all of them off. Thread: the worker's.
 */
enum rate_class {
	RATE_NONE, /* not limited */
	RATE_SEND, /* messages of one sender, over HTTP and WebSocket together */
	RATE_LOGIN, /* wrong passwords of one user: enough for a person, too few to guess a password from a dictionary */
	RATE_LOGIN_ADDRESS, /* wrong passwords from one address, of any users */
	RATE_REGISTER, /* registrations from one address */
	RATE_LOGOUT, /* tokens that one user revokes: every im remembers each until it expires */
	RATE_CLASSES,
};

/* A bucket: of a user, or of an address. */
struct rate_key {
	enum rate_class class;
	struct str key;
};

struct rates {
	const struct im_config *config;
	struct user_lru buckets[RATE_CLASSES];
	struct counter *refused[RATE_CLASSES];
};

void rates_init(struct rates *rates, const struct im_config *config);
void rates_release(struct rates *rates);

/* Takes one from the bucket of a user or address. False when it is empty; `wait_ms` is then the time until there is one again. */
bool rates_take(struct rates *rates, enum rate_class class, struct str key, uint64_t *wait_ms) MUST_CHECK;

/* Puts one back, where only failures count and this was none. */
void rates_give_back(struct rates *rates, enum rate_class class, struct str key);

/* One sentence for a caller who was refused. */
const char *rates_refusal(enum rate_class class);

#endif
