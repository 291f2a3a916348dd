#ifndef SKEIN_BASE_RATE_LIMIT_H
#define SKEIN_BASE_RATE_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

/*
 * A token bucket in 16 bytes: it lets through `per_second` on average and `burst`
 * at once. A zeroed bucket is full. per_second 0 means no limit.
 */
struct rate_limit {
	uint64_t updated_ms;
	double missing; /* tokens below a full bucket */
};

bool rate_limit_take(struct rate_limit *bucket, double per_second, double burst, uint64_t now_ms);

/* Puts a token back; a full bucket stays as it is. */
void rate_limit_give_back(struct rate_limit *bucket);

/* The time until one token is available, for Retry-After. */
uint64_t rate_limit_wait_ms(const struct rate_limit *bucket, double per_second, double burst, uint64_t now_ms);

#endif
