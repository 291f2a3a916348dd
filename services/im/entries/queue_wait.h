#ifndef SKEIN_IM_ENTRIES_QUEUE_WAIT_H
#define SKEIN_IM_ENTRIES_QUEUE_WAIT_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Estimates how long an entry waits in a queue that is emptied in batches. One
 * estimate per interval, for admission control.
 *
 * The estimate is the queue's length divided by the pace of the last batches. The
 * age of the queue's head lags behind the load: it rises only after a burst reaches
 * the front, and falls just as late. The head's age limits the estimate, though:
 * while batches are cut whose first entry has hardly waited, a long queue is a
 * burst that is about to leave. In an interval without a batch the estimate is the
 * head's age. Entries that fit into the next batch do not count: with fewer entries
 * they would not leave sooner.
 *
 * The pace also limits the queue: it has room for as many entries as leave it
 * within QUEUE_WAIT_MAX_MS. No clock. Thread: one.
 */

#define QUEUE_WAIT_MAX_MS 500

struct queue_wait {
	unsigned batch_max;
	unsigned shortest_ms; /* the shortest wait of a first entry of a batch, in this interval */
	bool was_cut; /* a batch, in this interval */
	double pace; /* entries a millisecond, smoothed; 0: not known */
	/* Small batches are added up here before they count for the pace. */
	unsigned round_count;
	uint64_t round_us;
};

/* `batch_max` is the most entries of a batch. */
void queue_wait_init(struct queue_wait *wait, unsigned batch_max);

/* A batch was cut; its first entry had waited for `waited_ms`. */
void queue_wait_cut(struct queue_wait *wait, unsigned waited_ms);

/* A batch of `count` entries took `took_us`, and more entries were waiting behind it. */
void queue_wait_done(struct queue_wait *wait, unsigned count, uint64_t took_us);

/* Ends an interval and returns its estimate. The queue has `len` entries, and the first has waited for `head_ms` by now. */
unsigned queue_wait_end_interval(struct queue_wait *wait, unsigned len, unsigned head_ms);

/* How many entries the queue has room for. */
unsigned queue_wait_room(const struct queue_wait *wait);

#endif
