#ifndef SKEIN_DELIVER_MISSED_OFFSETS_H
#define SKEIN_DELIVER_MISSED_OFFSETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/map.h"
#include "proto/delivery.pb-c.h"

/*
 * The numbers that a gateway that is behind will be told instead of messages: for
 * each connection the highest offset of its inbox, under the epoch noted last.
 * Costs about 64 bytes a connection for any number of messages, for at most
 * MISSED_OFFSETS_MAX connections, which is more than a gateway holds. A connection
 * beyond that notices the hole with its next message. Pure: no I/O.
 */

#define MISSED_OFFSETS_MAX (1u << 20)

struct missed_offsets {
	struct map by_conn;
	size_t count;
};

void missed_offsets_init(struct missed_offsets *missed);
void missed_offsets_release(struct missed_offsets *missed);

/* Nothing is noted of an audience without offsets, nor of NULL. */
void missed_offsets_add(struct missed_offsets *missed, const Skein__V1__Audience *audience);

/* Takes up to `max` connections out, into `to`, whose arrays are in one allocation: mem_free(to->conns). */
void missed_offsets_take(struct missed_offsets *missed, size_t max, Skein__V1__Connections *to);

#endif
