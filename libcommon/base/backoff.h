#ifndef SKEIN_BASE_BACKOFF_H
#define SKEIN_BASE_BACKOFF_H

#include <stdint.h>

/*
 * Waiting times between tries. The ceiling doubles from `min_ms` to `max_ms`, and
 * each time is drawn evenly from its upper half, so that many clients that lost
 * the same server do not come back together.
 */
struct backoff {
	uint64_t min_ms, max_ms;
	unsigned tries;
};

void backoff_init(struct backoff *backoff, uint64_t min_ms, uint64_t max_ms);
uint64_t backoff_next_ms(struct backoff *backoff);
void backoff_reset(struct backoff *backoff);

#endif
