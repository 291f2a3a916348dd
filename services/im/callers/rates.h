#ifndef SKEIN_IM_CALLERS_RATES_H
#define SKEIN_IM_CALLERS_RATES_H

#include "base/telemetry/metrics.h"
#include "base/users/user_lru.h"
#include "im/callers/rate_classes.h"

/*
 * Limits how often one user may do something, or one address, or how much is sent to one conversation: over all im of a
 * cluster. docs/adr/018-rates-are-reported-not-asked.md has the reasons and how wrong a limit may be.
 *
 * Each process has a bucket of its own for each key, with the whole limit; each key also has a bucket in Redis
 * (cluster/rate_bucket.h), which all processes share. An empty own bucket refuses without asking Redis, so a flood at
 * one im costs Redis nothing. There are two ways to take when the own bucket is not empty.
 *
 * rates_take() never waits. What was taken is owed to Redis, and is reported when it is worth a portion of the limit.
 * What the own bucket has got back meanwhile is not owed any more, so a user who is far from the limit costs Redis
 * nothing either. After an answer that the shared bucket is empty this process refuses until it has tokens.
 *
 * rates_ask() asks Redis and waits for the answer. It is for limits that have to be exact: wrong passwords.
 *
 * While Redis is away only the own buckets count; nobody is refused for that.
 *
 * The least recently used of 100,000 own buckets of a class makes room. `limits.enabled` switches all of them off.
 * Thread: the worker's.
 */

#define RATES_PORTIONS 16 /* of a full bucket: what is reported to Redis at a time. Fewer when little is left */

/* A bucket: of a user, an address, or a conversation. */
struct rate_key {
	enum rate_class class;
	struct str key;
	bool is_shared; /* set by rates_ask(): Redis has counted it, and not this process alone */
};

struct rates {
	const struct im_config *config;
	struct redis *redis;
	uint64_t (*now_ms)(void); /* clock_mono_ms(); a test sets its own */
	struct user_lru buckets[RATE_CLASSES];
	struct counter *refused[RATE_CLASSES];
	struct counter *redis_asked, *redis_away;
	struct gauge *reports; /* that Redis has not answered */
};

/* `redis` NULL: this process counts for itself. Otherwise it is closed before rates_release(). */
void rates_init(struct rates *rates, const struct im_config *config, struct redis *redis);
void rates_release(struct rates *rates);

/* Takes one. False when the bucket is empty; `wait_ms` is then the time until there is one again, at least 1. */
bool rates_take(struct rates *rates, enum rate_class class, struct str key, uint64_t *wait_ms) MUST_CHECK;

/* The same, asked of Redis. `done` is called later, or from here. `key` and what it points to live until then. */
typedef void (*rates_answered)(void *arg, bool is_taken, uint64_t wait_ms);
void rates_ask(struct rates *rates, struct rate_key *key, rates_answered done, void *arg);

/* Puts back what rates_take() or rates_ask() gave, where it is not to count after all. */
void rates_give_back(struct rates *rates, const struct rate_key *key);

#endif
