#ifndef SKEIN_PUSH_ORDER_DELIVERY_WAIT_H
#define SKEIN_PUSH_ORDER_DELIVERY_WAIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * How far behind a push process is, in time: the messages in flight and those still
 * in Kafka, divided by the pace at which messages ended in the last intervals.
 * Messages in flight may be stuck at a dead gateway while others pass them, so they
 * count for no more than a multiple of the shortest time that a message took. No
 * clock of another machine is used.
 *
 * If no message ends in an interval, there is no estimate: im letting in fewer
 * messages would not help against a dead gateway or a Redis that is away. A few slow
 * messages, to a group of thousands, are no queue either. Pure. Thread: one.
 */

#define DELIVERY_WAIT_INTERVAL_MS 100

/* Fewer messages, in flight and in Kafka together, count as no wait. */
#define DELIVERY_QUEUE_MIN 32

struct delivery_wait {
	uint64_t shortest_us; /* of this interval */
	size_t ended;
	double pace; /* messages that end in an interval, smoothed; 0: not known */
};

void delivery_wait_ended(struct delivery_wait *wait, uint64_t took_us);

/* Ends an interval. False: no message ended in it, and `wait_ms` is not set. */
bool delivery_wait_end_interval(struct delivery_wait *wait, size_t in_flight, size_t untaken, unsigned *wait_ms);

#endif
