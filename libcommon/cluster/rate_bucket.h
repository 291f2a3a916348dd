#ifndef SKEIN_CLUSTER_RATE_BUCKET_H
#define SKEIN_CLUSTER_RATE_BUCKET_H

#include "store/redis/redis.h"

/*
 * A token bucket that all processes share: one key in Redis, changed by one script, so that two processes never both take the
 * last token. The clock is Redis's own: the clocks of the processes need not agree. A full bucket has no key; the key expires
 * when the bucket is full again, so Redis holds those keys only that were used lately. The same bucket in one process is
 * base/rate_limit.h. Thread: the client's.
 */

#define RATE_BUCKET_KEY_MAX 320 /* a class and a key; a longer key is cut */

struct rate_bucket_limit {
	double per_second, burst; /* both more than 0 */
};

struct rate_bucket_state {
	bool is_taken;
	int64_t left; /* whole tokens; less than 0 when more was taken than there was */
	uint64_t wait_ms; /* until one token is available; 0: there is one */
};

enum rate_bucket_mode {
	RATE_BUCKET_IF_THERE, /* takes all of `count` or nothing */
	RATE_BUCKET_OWED, /* takes them in any case: they were used before. What is missing then is waited for */
};

/* `state` is valid during the call; NULL with an error, as redis.h lists them. */
typedef void (*rate_bucket_done)(void *arg, err_t err, const struct rate_bucket_state *state);

/*
 * Takes `count` tokens from the bucket `key` of a class; with a negative count it puts them back, up to a full bucket. `done`,
 * which may be NULL, is called later.
 */
void rate_bucket_take(struct redis *redis, struct str class, struct str key, const struct rate_bucket_limit *limit, int64_t count,
                      enum rate_bucket_mode mode, rate_bucket_done done, void *arg);

#endif
