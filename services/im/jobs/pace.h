#ifndef SKEIN_IM_JOBS_PACE_H
#define SKEIN_IM_JOBS_PACE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * How fast this im's jobs may go, all together: `rate` pieces of work a second. A piece is a recipient of a broadcast, or a row
 * that is written or read. What was not used is forgotten after PACE_CREDIT_US, so that nothing comes in bursts. No I/O, no
 * clock.
 */
#define PACE_CREDIT_US 20000

struct pace {
	uint64_t free_at_us; /* from then on there is room for more */
};

static inline bool pace_has_room(const struct pace *pace, uint64_t now_us)
{
	return now_us >= pace->free_at_us;
}

/* `count` pieces were begun, or done. */
static inline void pace_use(struct pace *pace, uint64_t rate, uint64_t count, uint64_t now_us)
{
	if (pace->free_at_us + PACE_CREDIT_US < now_us)
		pace->free_at_us = now_us - PACE_CREDIT_US;
	pace->free_at_us += count * 1000000 / rate;
}

#endif
