#ifndef SKEIN_IM_EVENTS_EVENTS_H
#define SKEIN_IM_EVENTS_EVENTS_H

#include "base/telemetry/metrics.h"
#include "base/text/buf.h"
#include "loop/worker.h"
#include "message/event_limits.h"
#include "store/kafka/kafka.h"

/*
 * Events are notices to connected users (contract section 4, `event`). They are delivered, not stored. events_emit() puts an event
 * into a record for the topic im.event; push finds the users' connections and sends each an unnumbered frame.
 *
 * A record costs as much as many events, so events share records: a record leaves EVENTS_LINGER_MS after its first event, or when
 * it is full. The key of all records is the im's name, so that the events of one im stay in order.
 *
 * Nobody waits for an event, and an event may be lost: when EVENTS_MAX_WAITING of them wait for Kafka, new events are
 * dropped and counted. Events have this room for themselves and take none of the messages'. A caller emits after the commit of
 * what the event tells of. Thread: the worker's.
 */

#define EVENTS_MAX_WAITING 4000u
#define EVENTS_MAX_WAITING_BYTES (8u << 20)
#define EVENTS_LINGER_MS WORKER_TICK_MS

/*
 * A record is full with so many events or bytes, or with EVENT_RECORD_MAX_USERS users. push sends a record's events at
 * once, and a gateway takes 500 events before it has answered. events_emit() splits an event for more users.
 */
#define EVENTS_RECORD_EVENTS_MAX 250
#define EVENTS_RECORD_BYTES (64u << 10)

struct events {
	struct worker *worker;
	struct kafka_producer *producer; /* NULL: stopped */
	struct str key;
	struct buf record; /* the open one */
	unsigned event_count, uid_count; /* in it */
	struct timer linger; /* armed while it has events */
	unsigned waiting; /* events that Kafka has not acknowledged, those of the open record included */
	size_t waiting_bytes;
	struct counter *emitted, *dropped_full, *dropped_kafka, *dropped_too_large;
};

/* A connection, as its route names it (proto/audience.proto). */
struct routed_connection {
	uint64_t node_epoch; /* 0: none */
	uint64_t conn;
};

/* The texts are the caller's and are copied. */
struct event {
	const struct str *uids; /* whose connections are told */
	size_t uid_count;
	const char *kind;
	struct str body; /* a JSON object: the members of the frame besides `kind` */
	struct str traceparent; /* may be empty */
	struct routed_connection except; /* knows already what the event tells, and is not told */
};

/*
 * The producer holds EVENTS_MAX_WAITING records and EVENTS_MAX_WAITING_BYTES more than messages may take. `im_name` must stay
 * valid as long as `events`.
 */
void events_init(struct events *events, struct worker *worker, struct kafka_producer *producer, const char *im_name);

/* Whether half of the room for events is taken: what can be told later, or not at all, leaves it to the others. */
static inline bool events_are_behind(const struct events *events)
{
	return events->waiting > EVENTS_MAX_WAITING / 2;
}

/* Before the producer is closed: gives it the open record. Later events are dropped. */
void events_stop(struct events *events);

/* An event with a kind or a body over the limits of a record is dropped and counted. */
void events_emit(struct events *events, const struct event *event);

/* The same for the connections that watch this user's presence, in place of event->uids. Every gateway is told. */
void events_emit_to_watchers(struct events *events, struct str watched, const struct event *event);

#endif
