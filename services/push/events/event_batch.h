#ifndef SKEIN_PUSH_EVENTS_EVENT_BATCH_H
#define SKEIN_PUSH_EVENTS_EVENT_BATCH_H

#include <stddef.h>

#include "base/list.h"
#include "base/telemetry/metrics.h"
#include "deliver/gateways.h"
#include "proto/record.pb-c.h"
#include "store/redis/redis.h"

/*
 * The events of one record on their way: the routes of all of their users are
 * looked up at once; then each gateway that holds some of an event's connections
 * gets one delivery of it. Nothing is tried again. A delivery that a gateway
 * cannot take (it is dead, behind, or has too many events unanswered) is dropped
 * and counted. Thread: the worker's.
 */

#define EVENTS_DROPPED_HELP "Records of events, look-ups of users and deliveries to gateways that were dropped, by reason."

/* Shared by all batches of a process; event_intake.c owns it. */
struct event_context {
	struct redis *redis;
	struct gateways *gateways;
	struct list under_way; /* batches whose routes are being looked up */
	size_t count, bytes; /* of these: events, and bytes of their records; their lookups are `lookups` */
	size_t lookups;
	struct counter *sent, *no_routes, *gateway_dead, *gateway_behind, *gateway_full;
	struct event_batch *held; /* SABOTAGE_EVENTS_SWAPPED: leaves after the next one */
};

void event_context_init(struct event_context *context, struct redis *redis, struct gateways *gateways);

/* Before gateways_free(): the results of look-ups under way are ignored. */
void event_context_stop(struct event_context *context);

/* Takes the record over, which is one that event_record_read() gave. */
void event_batch_start(struct event_context *context, Skein__V1__EventRecord *record, size_t bytes);

#endif
