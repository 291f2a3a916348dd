#ifndef SKEIN_PUSH_ORDER_CONVERSATIONS_H
#define SKEIN_PUSH_ORDER_CONVERSATIONS_H

#include <stddef.h>
#include <stdint.h>

#include "cluster/inbox.h"

struct delivery_wait;
struct gateways;
struct member_cache;
struct outgoing;
struct pg;
struct redis;
struct worker;

/*
 * All conversations whose messages push has seen lately, each with its timeline
 * (timeline.h, which is where the order is kept): the header to include. Costs
 * about 400 bytes a conversation; the longest idle are forgotten when there are
 * more than max_conversations. Thread: the worker's.
 *
 * After partitions were added to the topic, a conversation has records in two of
 * them. It has a timeline for each, as if two processes had them: a partition that
 * is taken away leaves the other alone.
 */

struct conversations;

struct conversations_options {
	struct worker *worker;
	struct redis *redis;
	struct pg *pg;
	struct gateways *gateways;
	struct member_cache *members;
	struct inbox_limits inbox_limits;
	size_t max_conversations;
	size_t max_cached_routes; /* users */
	struct delivery_wait *wait; /* is told how long each message took */
	/* A message that has a place in Kafka is answered. */
	void (*finished)(void *arg, int32_t partition, int64_t offset);
	/*
	 * A message that has a place in Kafka is not dispatched, since PostgreSQL does not know its seq. `outgoing` is
	 * valid during the call; it has no record if it is slim.
	 */
	void (*unknown)(void *arg, const struct outgoing *outgoing);
	/* The load went down although no message has ended. */
	void (*eased)(void *arg);
	void *arg;
};

struct conversations *conversations_new(const struct conversations_options *options);

/*
 * For the end of the process, when Redis, PostgreSQL and the gateways call back no more. The partition's next owner
 * dispatches the unanswered messages again.
 */
void conversations_free(struct conversations *conversations);

/* Call it before Redis is closed. */
void conversations_stop(struct conversations *conversations);

/* Takes the message over. `finished` may come from inside the call. */
void conversations_take(struct conversations *conversations, struct outgoing *outgoing);

/* The partition belongs to another process now: no message of it is begun any more, and `finished` no longer comes. */
void conversations_drop_partition(struct conversations *conversations, int32_t partition);

/* The messages that are not answered yet. */
struct conversations_load {
	size_t messages, bytes; /* whole messages, with the connections that they go to */
	size_t slim; /* messages of which only the place is kept (reorder_buffer.h, gateway.h), about 300 bytes each */
	size_t known; /* conversations */
};

struct conversations_load conversations_load(const struct conversations *conversations);

/* All messages that are not answered yet. */
size_t conversations_in_flight(const struct conversations *conversations);

#endif
