#ifndef SKEIN_IM_EVENTS_EVENTS_H
#define SKEIN_IM_EVENTS_EVENTS_H

#include "base/telemetry/metrics.h"
#include "base/text/buf.h"
#include "store/kafka/kafka.h"

/*
 * Events: what connected users are told and nothing keeps (contract section 4, `event`). events_emit() writes a record to the
 * topic im.event; push finds the users' connections and sends each an unnumbered frame.
 *
 * Nobody waits for an event, and an event may be lost: when EVENTS_MAX_WAITING records wait for Kafka, new events are
 * dropped and counted. Events have this room for themselves and take none of the messages'. A caller emits after the commit of
 * what the event tells of. Thread: the worker's.
 */

#define EVENTS_MAX_WAITING 4000u
#define EVENTS_MAX_WAITING_BYTES (8u << 20)

/* A record names at most so many users; events_emit() splits what is over. */
#define EVENT_RECORD_UIDS_MAX 1000

struct events {
	struct kafka_producer *producer; /* NULL: stopped */
	unsigned waiting;
	struct buf scratch;
	struct counter *emitted, *dropped_full, *dropped_kafka;
};

/* The texts are the caller's and are copied. */
struct event {
	const struct str *uids; /* whose connections are told */
	size_t uid_count;
	const char *kind;
	struct str body; /* a JSON object: the members of the frame besides `kind` */
	struct str traceparent; /* may be empty */
};

/* The producer holds EVENTS_MAX_WAITING records and EVENTS_MAX_WAITING_BYTES more than messages may take. */
void events_init(struct events *events, struct kafka_producer *producer);

/* Before the producer is closed. Later events are dropped. */
void events_stop(struct events *events);

void events_emit(struct events *events, const struct event *event);

#endif
