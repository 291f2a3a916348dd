#ifndef SKEIN_PUSH_EVENTS_EVENT_INTAKE_H
#define SKEIN_PUSH_EVENTS_EVENT_INTAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "store/kafka/kafka.h"

struct gateways;
struct redis;
struct worker;

/*
 * Takes events from Kafka and starts them. An event is told, not kept: its offset
 * counts as done when the record is taken, so a crash loses those under way, and
 * nothing is ever held up for an event. What does not fit is dropped and counted
 * by its reason in skein_push_events_dropped_total:
 *
 *   unusable        not a record that push understands
 *   late            older than EVENT_MAX_AGE_MS, for instance after an outage
 *   push_busy       messages wait because push is at its limits (`is_busy`)
 *   too_many        EVENT_MAX_LOOKUPS or EVENT_MAX_BYTES under way
 *   routes_unknown  Redis did not answer for a user
 *   gateway_dead, gateway_behind, gateway_full  one gateway's delivery (gateway_tell())
 *
 * Messages come first: events have windows of their own (gateway.h) and leave to a
 * gateway only when no message waits for it. Thread: the worker's.
 */

#define EVENT_MAX_LOOKUPS 2000u
#define EVENT_MAX_BYTES (8u << 20)
#define EVENT_MAX_AGE_MS 30000u

struct event_intake;

struct event_intake_options {
	struct kafka_consumer_options consumer;
	struct redis *redis;
	struct gateways *gateways;
	/* Push has all the messages it can take. */
	bool (*is_busy)(void *arg);
	void *arg;
};

err_t event_intake_new(struct event_intake **out, struct worker *worker, const struct event_intake_options *options) MUST_CHECK;

/* Kafka has told which partitions are ours. */
bool event_intake_has_joined(const struct event_intake *intake);

/* Takes no more events, leaves the group and forgets what is under way. Before gateways_free(). */
void event_intake_close(struct event_intake *intake, void (*closed)(void *arg), void *arg);

/* After redis_close(). */
void event_intake_free(struct event_intake *intake);

#endif
