#ifndef SKEIN_IM_ENTRIES_QUEUE_WAIT_H
#define SKEIN_IM_ENTRIES_QUEUE_WAIT_H

#include <stdbool.h>
#include <stdint.h>

/*
 * How long a queue that is emptied in batches lets wait, from interval to interval.
 *
 * It is its length at the pace of the last batches: the age of its head alone would
 * tell of a rush only when that has come to the front, and of its end as late. But
 * the age has to agree: while batches are cut whose first one has hardly waited, a
 * long queue is a burst that is about to leave. When none is cut, the age of the head
 * is all there is. What fits into the next batch does not count: it would not leave
 * sooner if less came.
 *
 * The pace also tells how many may stand in it at all: as many as leave it within
 * QUEUE_WAIT_MAX_MS. No clock. Thread: one.
 */

#define QUEUE_WAIT_MAX_MS 500

struct queue_wait {
	unsigned batch_max;
	unsigned shortest_ms; /* that the first of a batch had waited, in this interval */
	bool was_cut; /* a batch, in this interval */
	double pace; /* sends a millisecond, smoothed; 0: not known */
};

/* `batch_max`: what a batch takes at most. */
void queue_wait_init(struct queue_wait *wait, unsigned batch_max);

/* A batch was cut; the first of it had waited that long. */
void queue_wait_cut(struct queue_wait *wait, unsigned waited_ms);

/* A batch of `count`, behind which more was waiting, took that long. */
void queue_wait_done(struct queue_wait *wait, unsigned count, uint64_t took_us);

/* Ends an interval and returns its wait; the queue has `len`, the first of which has waited for `head_ms` by now. */
unsigned queue_wait_end_interval(struct queue_wait *wait, unsigned len, unsigned head_ms);

/* How many may stand in it. */
unsigned queue_wait_room(const struct queue_wait *wait);

#endif
