#ifndef SKEIN_GATEWAY_QUEUES_TYPING_PACE_H
#define SKEIN_GATEWAY_QUEUES_TYPING_PACE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * How often one connection's `typing` frames are passed on: one for each conversation and interval, and those of at most
 * TYPING_PACE_CONVERSATIONS conversations in an interval. {0} is one that has passed nothing on. Pure.
 */
#define TYPING_PACE_CONVERSATIONS 8

struct typing_pace {
	uint64_t conversations[TYPING_PACE_CONVERSATIONS]; /* hashes of their ids */
	uint64_t until_ms[TYPING_PACE_CONVERSATIONS]; /* when the next one of that conversation may pass */
};

/* Whether a frame passes now. */
bool typing_pace_take(struct typing_pace *pace, uint64_t conversation, uint64_t now_ms, uint64_t interval_ms);

#endif
