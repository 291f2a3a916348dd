#ifndef SKEIN_PUSH_ORDER_CONVERSATIONS_H
#define SKEIN_PUSH_ORDER_CONVERSATIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "loop/worker.h"
#include "push/order/delivery_wait.h"
#include "deliver/gateways.h"
#include "push/inboxes/outgoing.h"
#include "push/order/progress.h"
#include "push/recipients/recipients.h"
#include "cluster/inbox.h"
#include "store/pg/pg.h"
#include "store/redis/redis.h"

/*
 * Each conversation's messages, in the order of their seq, whatever the order
 * of their records: the heart of push (design section 2, step 3).
 *
 *   a record comes ──► pending, by seq ──► batch: inboxes written ──► delivering ──► answered
 *
 * A conversation has one batch at a time, so that an inbox gets its messages in
 * order; deliveries of several batches overlap, since the numbers in the
 * inboxes order them. The last seq that was dispatched is kept for whoever owns
 * the partition next (progress.h). A record at or below it: seen answered here →
 * dropped; else dispatched again, clients drop the copy.
 * A gap waits GAP_WAIT_MS for its records (two im processes may produce out of
 * order), then is read from PostgreSQL; a message behind a gap that is not there either is none.
 *
 * Costs about 400 bytes a conversation; idle ones are forgotten when there are
 * more than max_conversations. Thread: the worker's.
 */

#define GAP_WAIT_MS 100

struct conversations;

struct conversations_options {
	struct worker *worker;
	struct redis *redis;
	struct pg *pg;
	struct gateways *gateways;
	struct member_cache *members;
	struct inbox_limits inbox_limits;
	size_t max_conversations;
	struct delivery_wait *wait; /* is told how long each message took */
	/* A message that came with a place in Kafka is done with. */
	void (*finished)(void *arg, int32_t partition, int64_t offset);
	/*
	 * A message that came with a place in Kafka and that PostgreSQL does not know, by its seq: not dispatched. Valid during
	 * the call; without a record if it is slim.
	 */
	void (*unknown)(void *arg, const struct outgoing *outgoing);
	/* The load went down without an end of a message. */
	void (*eased)(void *arg);
	void *arg;
};

struct conversations *conversations_new(const struct conversations_options *options);

/*
 * For the end of the process, when Redis, PostgreSQL and the gateways call back no more: what was not answered is
 * dispatched again by the partition's next owner.
 */
void conversations_free(struct conversations *conversations);

/* Before Redis is closed. */
void conversations_stop(struct conversations *conversations);

/* Takes the message over. `finished` may come from inside the call. */
void conversations_take(struct conversations *conversations, struct outgoing *outgoing);

/* The partition went to somebody else: nothing of it is begun any more. What is under way ends, unheard. */
void conversations_drop_partition(struct conversations *conversations, int32_t partition);

struct conversations_load {
	size_t messages, bytes; /* not answered yet, but for those: */
	size_t slim; /* of which only the place is kept (reorder_buffer.h, gateways.h), about 300 bytes each */
	size_t known; /* conversations */
};

struct conversations_load conversations_load(const struct conversations *conversations);

/* All messages that are not answered yet. */
size_t conversations_in_flight(const struct conversations *conversations);

#endif
