#ifndef SKEIN_IM_CALLERS_RATES_H
#define SKEIN_IM_CALLERS_RATES_H

#include "im/callers/user_lru.h"
#include "im/config.h"

/*
 * Limits how often one user may do something. A class is one kind of action, with a bucket for each user and limits from the
 * configuration. `limits.enabled` switches all of them off. Thread: the worker's.
 */
enum rate_class {
	RATE_NONE, /* not limited */
	RATE_SEND, /* messages of one sender, over HTTP and WebSocket together */
	RATE_LOGIN, /* attempts to log in as one user: enough for a person, too few to guess a password from a dictionary */
	RATE_LOGOUT, /* tokens that one user revokes: every im remembers each until it expires */
	RATE_CLASSES,
};

struct rates {
	const struct im_config *config;
	struct user_lru buckets[RATE_CLASSES];
};

void rates_init(struct rates *rates, const struct im_config *config);
void rates_release(struct rates *rates);

/* Takes one from the user's bucket. False when it is empty; `wait_ms` is then the time until there is one again. */
bool rates_take(struct rates *rates, enum rate_class class, struct str uid, uint64_t *wait_ms) MUST_CHECK;

/* One sentence for a caller who was refused. */
const char *rates_refusal(enum rate_class class);

#endif
