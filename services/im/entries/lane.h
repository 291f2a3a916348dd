#ifndef SKEIN_IM_ENTRIES_LANE_H
#define SKEIN_IM_ENTRIES_LANE_H

#include "im/entries/batch_queue.h"
#include "im/entries/finisher.h"
#include "im/entries/queue_wait.h"

/*
 * A lane stores the entries of its conversations in the order in which they came.
 * It has a connection of its own and one statement under way; entries that arrive
 * meanwhile are stored by the next one. So at most one statement of a conversation
 * is under way, whatever kinds of entries it has. A whole batch that waits is sent
 * before the rows of the last answer are taken.
 *
 * A statement that failed is followed by a rest of 100 ms. Entries that are in
 * doubt after it are at the front of the queue again (finisher.h). Their answer
 * was lost, so the epoch of the lease is raised, and no lane sends until that is
 * done. When the server refused a batch for a value in it, its entries are sent
 * again one by one, so that such an entry takes no other one with it. Thread: the
 * worker's.
 */
struct lane {
	struct lane_context *context;
	unsigned index; /* names the connection */
	unsigned batch_max;
	struct batch_queue queue;
	struct queue_wait wait;
	struct batch batches[2];
	struct batch *batch; /* one of them: under way, or empty */
	unsigned singles; /* how many of the next statements carry one entry only */
	uint64_t started_us; /* of the batch */
	struct timer retry; /* armed while the lane rests after a statement that failed */
};

/* Shared by all lanes. */
struct lane_context {
	struct worker *worker;
	struct pg *pg;
	struct lease_keeper *keeper;
	struct finisher *finisher;
	uint64_t timeout_ms; /* from an entry's arrival to its deadline */
	struct counter *statements;
	struct histogram *waits; /* of entries, before their statement */
	struct histogram *durations; /* of statements */
};

void lane_init(struct lane *lane, struct lane_context *context, unsigned index, unsigned batch_max);

/* The entry waits for the next lane_start(). */
void lane_push(struct lane *lane, struct entry *entry);

/* Sends a statement, unless one is under way, the lane rests or nothing waits. */
void lane_start(struct lane *lane);

/* The entry's deadline has passed: tells the caller. The entry ends too, unless its outcome is not known yet. */
void lane_expire(struct lane *lane, struct entry *entry);

/* Whether more entries wait than the lane can store in a reasonable time. */
bool lane_is_congested(const struct lane *lane, uint64_t now_ms);

/* See queue_wait_end_interval(). The entries of jobs do not count. */
unsigned lane_end_interval(struct lane *lane, uint64_t now_ms);

/* Refuses the waiting entries. No statement is under way any more. */
void lane_close(struct lane *lane);

#endif
