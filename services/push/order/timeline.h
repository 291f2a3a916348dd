#ifndef SKEIN_PUSH_ORDER_TIMELINE_H
#define SKEIN_PUSH_ORDER_TIMELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/map.h"
#include "base/telemetry/metrics.h"
#include "base/text/ident.h"
#include "push/inboxes/batch.h"
#include "push/order/progress.h"
#include "push/order/reorder_buffer.h"

struct delivery_wait;

/*
 * One conversation's messages in the order of their seq, whatever the order of
 * their records (design section 2, step 3).
 *
 *   a record ──► reorder buffer ──► batch: inboxes written ──► delivering ──► answered
 *
 * A conversation has one batch at a time, so an inbox gets its messages in order.
 * Deliveries of several batches overlap: their numbers in the inboxes order them.
 * `dispatched` is the last seq whose batch was begun; it is written to Redis once
 * the inboxes have it (progress.h), for the next owner of the partition. A record
 * at or below it is dropped if this process dispatched it; otherwise it is
 * dispatched again, and clients drop the copy.
 *
 * A gap waits GAP_WAIT_MS for its records, since two im processes may produce out
 * of order. Then it is read from PostgreSQL. If PostgreSQL does not have the
 * message behind the gap either, that record is false and is discarded.
 *
 * Called by conversations.c only, which owns the memory. Thread: the worker's.
 */

#define GAP_WAIT_MS 100

struct timeline;

/* What all timelines of a process share; the owner is conversations.c. */
struct timeline_context {
	struct worker *worker;
	struct pg *pg;
	struct progress progress;
	struct batch_context batches;
	struct delivery_wait *wait; /* is told how long each message took */
	/* The messages that are not answered: whole ones, their bytes, and slim ones. */
	size_t messages, bytes, slim;
	struct counter *dispatched, *repeated, *dropped, *from_postgres;
	struct histogram *total_time;
	void (*finished)(void *arg, int32_t partition, int64_t offset);
	void (*unknown)(void *arg, const struct outgoing *outgoing);
	void (*eased)(void *arg);
	void *arg;
	void (*rested)(struct timeline *timeline); /* it has nothing to do: it may be freed inside the call */
};

enum timeline_stage {
	TIMELINE_UNKNOWN, /* the last dispatched seq is not known */
	TIMELINE_LOADING, /* and is being read */
	TIMELINE_READY, /* the next batch may be formed */
	TIMELINE_FILLING, /* a gap is being read from PostgreSQL */
	TIMELINE_WRITING, /* the batch's recipients are looked up and its inboxes written */
	TIMELINE_UNRESOLVED, /* the recipients could not be looked up: again when `timer` fires */
	TIMELINE_DELIVERING, /* the batch is handed to the gateways, within one call */
};

/* A conversation in a partition: usually the only one that has its records. */
struct timeline_place {
	int32_t partition;
	char id[CONVERSATION_ID_MAX + 1];
	uint16_t id_len;
};

/* `id` is a valid id of a one-to-one conversation or a group. */
struct timeline_place timeline_place(int32_t partition, const char *id);

/* Partition and id as the key of a map; it points into `place`. */
struct str timeline_place_key(const struct timeline_place *place);

struct timeline {
	struct map_node link; /* conversations.c's */
	struct list idle; /* conversations.c's */
	struct timeline_context *context;
	struct timeline_place place;
	struct conversation parsed; /* points into place.id */
	bool is_orphan; /* the partition belongs to another process now */
	enum timeline_stage stage;
	bool reads_on; /* the last page of the gap was full */
	uint64_t dispatched; /* the highest seq that was dispatched, by any process */
	uint64_t base; /* `dispatched` as loaded: messages up to it were dispatched by another process */
	uint64_t saved; /* the value of `dispatched` in Redis */
	struct progress_query loading;
	struct reorder_buffer waiting; /* messages not begun */
	struct batch batch;
	struct list delivering;
	struct timer timer; /* for a gap, or before another try */
};

struct timeline *timeline_new(struct timeline_context *context, const struct timeline_place *place);

/* Only for a timeline that rests, or at the end of the process: calls under way are not ended. */
void timeline_free(struct timeline *timeline);

/* Takes the message over. */
void timeline_take(struct timeline *timeline, struct outgoing *outgoing);

/* The partition went to another process: waiting messages are dropped, those under way end without `finished`. */
void timeline_orphan(struct timeline *timeline);

/* Nothing waits and nothing is under way. */
bool timeline_rests(const struct timeline *timeline);

#endif
