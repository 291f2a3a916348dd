#ifndef SKEIN_PUSH_ORDER_CONV_H
#define SKEIN_PUSH_ORDER_CONV_H

#include "base/text/ident.h"
#include "base/map.h"
#include "base/telemetry/metrics.h"
#include "push/inboxes/inbox_writer.h"
#include "push/order/conversations.h"
#include "push/order/reorder_buffer.h"

/*
 * Inside conversations.c and conv_gap.c only: one conversation, and all of them.
 * Thread: the worker's.
 */

#define CONV_RETRY_MS 200

struct conversations {
	struct conversations_options options;
	struct progress progress;
	struct map by_id;
	struct list idle; /* nothing pending or under way; the longest idle first */
	size_t count, in_flight, in_flight_bytes, slim;
	struct counter *dispatched, *repeated, *dropped, *gaps;
	struct histogram *append_time, *total_time;
};

enum stage {
	STAGE_IDLE, /* no batch: the next one may be formed */
	STAGE_LOADING, /* the last dispatched seq is being read */
	STAGE_RESOLVING, /* the batch's recipients are being looked up */
	STAGE_UNRESOLVED, /* that failed; again when conv->wait is over */
	STAGE_APPENDING, /* the batch is being written to inboxes */
	STAGE_DELIVERING, /* the batch is being handed to the gateways, within one call */
};

struct conv {
	struct map_node link;
	struct list idle;
	struct conversations *all;
	char id[CONVERSATION_ID_MAX + 1];
	struct conversation parsed; /* points into id */
	int32_t partition;
	enum stage stage;
	bool is_known; /* `dispatched` is */
	bool is_filling; /* a gap is being read */
	bool reads_on; /* the last page of it was full */
	bool is_orphan; /* the partition is somebody else's */
	uint64_t dispatched; /* the highest seq that was dispatched, by anybody */
	uint64_t base; /* what `dispatched` was when this process began: up to here nothing was seen answered */
	uint64_t saved; /* what the next owner of the partition would find */
	struct progress_query loading;
	struct reorder_buffer pending; /* not begun */
	struct list batch;
	struct list delivering;
	struct inbox_writer run;
	struct timer wait; /* for a gap, or before another try */
	uint64_t batch_started_us;
};

/* The next step of a conversation, whatever has just happened to it. */
void conv_advance(struct conv *conv);

/* The one end of a message. */
void conv_finish(struct conv *conv, struct outgoing *outgoing);

/* The end of one that is not answered, or not by us. */
void conv_drop(struct conv *conv, struct outgoing *outgoing);

/* A message counts from when it is taken until it is dropped, as what it is: whole, or slim. */
void conv_count_in(struct conversations *all, const struct outgoing *outgoing);

/* The next message is not there, or not its content. */
bool conv_has_gap(const struct conv *conv);

/* Reads the next page of the gap from PostgreSQL, and advances with what it found. */
void conv_read_gap(struct conv *conv);

#endif
