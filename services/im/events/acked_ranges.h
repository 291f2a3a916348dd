#ifndef SKEIN_IM_EVENTS_ACKED_RANGES_H
#define SKEIN_IM_EVENTS_ACKED_RANGES_H

#include "im/events/events.h"
#include "proto/im.pb-c.h"
#include "store/redis/redis.h"

/*
 * Receipts for what devices have read over GET /v1/sync: the gateway knows the numbers in the user's inbox that a device has
 * acknowledged, and the entries are looked up here. Each one-to-one conversation among them becomes one `delivered` event.
 *
 * A receipt is worth little: with ACKED_RANGES_MAX look-ups under way, or many events waiting for Kafka, further ranges are
 * dropped, and counted, as are those that Redis does not answer. An entry does not say who sent its message: a conversation is
 * also told of when its last message is the reader's own. Thread: the worker's.
 */

#define ACKED_RANGES_MAX 1000

struct acked_ranges {
	struct redis *redis;
	struct events *events;
	unsigned under_way;
	struct counter *dropped;
};

void acked_ranges_init(struct acked_ranges *ranges, struct redis *redis, struct events *events);

/* False when a range names no user or no numbers; then none is to be taken. */
bool acked_ranges_are_valid(const Skein__V1__DeliveredRequest *request);

/* Takes the request, which is freed here. A conversation of which one of its receipts tells more is not told again. */
void acked_ranges_take(struct acked_ranges *ranges, Skein__V1__DeliveredRequest *message);

#endif
