#ifndef SKEIN_BASE_RATE_LIMIT_H
#define SKEIN_BASE_RATE_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

/*
 * A token bucket in 16 bytes: `per_second` on average, `burst` at once. A
 * zeroed bucket is a full one. per_second 0 means no limit.
 */
struct rate_limit {
	uint64_t updated_ms;
	double missing; /* tokens below a full bucket */
};

bool rate_limit_take(struct rate_limit *bucket, double per_second, double burst, uint64_t now_ms);

/* How long until one token is there, for Retry-After. */
uint64_t rate_limit_wait_ms(const struct rate_limit *bucket, double per_second, double burst, uint64_t now_ms);

#endif
