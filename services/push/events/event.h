#ifndef SKEIN_PUSH_EVENTS_EVENT_H
#define SKEIN_PUSH_EVENTS_EVENT_H

#include <stddef.h>

#include "base/list.h"
#include "base/telemetry/metrics.h"
#include "deliver/gateways.h"
#include "proto/record.pb-c.h"
#include "store/redis/redis.h"

/*
 * One event on its way: the routes of its users are looked up, all at once, and
 * each gateway that holds some of their connections gets one record. Nothing is
 * tried again. A record that a gateway cannot take (it is dead, behind, or has
 * too many events unanswered) is dropped and counted. Thread: the worker's.
 */

struct event;

/* What all events of a process share; the owner is event_intake.c. */
struct event_context {
	struct redis *redis;
	struct gateways *gateways;
	struct list under_way; /* events whose routes are being looked up */
	size_t count, bytes; /* of these; their lookups are `lookups` */
	size_t lookups;
	struct counter *sent, *no_routes, *gateway_dead, *gateway_behind, *gateway_full;
};

void event_context_init(struct event_context *context, struct redis *redis, struct gateways *gateways);

/* Before gateways_free(): look-ups under way end for nothing. */
void event_context_stop(struct event_context *context);

/* Takes the record over, which is one that event_record_read() gave. */
void event_start(struct event_context *context, Skein__V1__EventRecord *record, size_t bytes);

#endif
