#ifndef SKEIN_IM_ENTRIES_BATCH_QUEUE_H
#define SKEIN_IM_ENTRIES_BATCH_QUEUE_H

#include "im/entries/entry.h"

/*
 * The queue of one lane: entries in the order in which they came. Batches are cut
 * from it. No I/O.
 *
 * One statement stores one batch: entries of kinds with that statement, or one entry
 * of a kind that goes alone. The first entry in the queue says which. The batch takes
 * the entries of its statement from the front on, and passes over others. It takes
 * nothing of a conversation behind an entry that it passed over, so the entries of
 * one conversation are stored in the order in which they came.
 *
 * There is one exception: a repeat of an entry (kind->compare is 0: a send with
 * the same sender and client_msg_id) stays in the queue, and entries behind it may
 * be taken. The next batch decides it, when the first one is stored or refused.
 *
 * An entry of a user goes before the entries of jobs that have not been in a batch
 * yet, also before those of its conversation.
 *
 * A batch of `max` looks at the first `max` entries, and sorts them by conversation.
 */
struct batch_queue {
	struct list waiting; /* struct entry.link */
	unsigned len;
	unsigned of_jobs; /* of these */
};

#define BATCH_MAX 256

/* Grouped by conversation, in bytewise order; within one, in the order of the queue. */
struct batch {
	struct entry *entries[BATCH_MAX];
	int conversation_of[BATCH_MAX]; /* the index into `conversations` of each entry */
	unsigned len;
	struct str conversations[BATCH_MAX]; /* each once */
	unsigned conversation_count;
};

void batch_queue_init(struct batch_queue *queue);
void batch_queue_push(struct batch_queue *queue, struct entry *entry);

/* NULL when it is empty. */
struct entry *batch_queue_first(const struct batch_queue *queue);

void batch_queue_remove(struct batch_queue *queue, struct entry *entry);

/* Cuts a batch of at most `max` (up to BATCH_MAX); at least one unless the queue is empty. */
void batch_queue_take(struct batch_queue *queue, struct batch *batch, unsigned max);

/* Puts the entries of a batch that are not NULL back to the front. */
void batch_queue_put_back(struct batch_queue *queue, struct batch *batch);

#endif
