#ifndef SKEIN_IM_ENTRIES_BATCH_QUEUE_H
#define SKEIN_IM_ENTRIES_BATCH_QUEUE_H

#include "im/entries/entry.h"

/*
 * What waits in one lane of the batcher, in the order in which it came, and how
 * a batch is cut from it. No I/O.
 *
 * A batch holds each (conversation, sender, client_msg_id) once: a repeat stays
 * where it is and is decided by the next batch, when the first one is stored or
 * refused. Sends of one conversation keep their order otherwise.
 */
struct batch_queue {
	struct list waiting; /* struct send.link */
	unsigned len;
};

#define BATCH_MAX 256

/* Grouped by conversation, in bytewise order; within one, in the order of the queue. */
struct batch {
	struct send *sends[BATCH_MAX];
	int conversation_of[BATCH_MAX]; /* the index into `conversations` of each send */
	unsigned len;
	struct str conversations[BATCH_MAX]; /* each once */
	unsigned conversation_count;
};

void batch_queue_init(struct batch_queue *queue);
void batch_queue_push(struct batch_queue *queue, struct send *send);

/* NULL when it is empty. */
struct send *batch_queue_first(const struct batch_queue *queue);

void batch_queue_remove(struct batch_queue *queue, struct send *send);

/* Cuts a batch of at most `max` (up to BATCH_MAX) from the front; at least one unless the queue is empty. */
void batch_queue_take(struct batch_queue *queue, struct batch *batch, unsigned max);

/* Puts those sends of a batch back to the front that are not NULL in it. */
void batch_queue_put_back(struct batch_queue *queue, struct batch *batch);

#endif
