#ifndef SKEIN_PUSH_ORDER_DELIVERY_WAIT_H
#define SKEIN_PUSH_ORDER_DELIVERY_WAIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * How far behind a push process is, in time: what is in flight and what is still
 * in Kafka, at the pace at which messages ended in the last intervals. What is in
 * flight may be stuck, at a gateway that is dead, while others pass it: so it
 * counts only as far as the shortest way from Kafka to the gateways' answers
 * agrees. No clock of another machine goes into it.
 *
 * Only a push that gets on counts: where nothing ends there is nothing to say, whatever
 * waits, since to let less in would not help a gateway that is dead or a Redis that is away.
 * Nor does a handful of slow messages, to a group of thousands, make a
 * queue. Pure. Thread: one.
 */

#define DELIVERY_WAIT_INTERVAL_MS 100

/* Fewer messages than that, taken or not, are no queue. */
#define DELIVERY_QUEUE_MIN 32

struct delivery_wait {
	uint64_t shortest_us; /* of this interval */
	size_t ended;
	double pace; /* messages that end in an interval, smoothed; 0: not known */
};

void delivery_wait_ended(struct delivery_wait *wait, uint64_t took_us);

/* Ends an interval; false if nothing ended in it. */
bool delivery_wait_end_interval(struct delivery_wait *wait, size_t in_flight, size_t untaken, unsigned *wait_ms);

#endif
