#ifndef SKEIN_GATEWAY_QUEUES_OUT_QUEUE_H
#define SKEIN_GATEWAY_QUEUES_OUT_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/*
 * References to the frames that wait to be written to one connection, in order.
 * 8 bytes while nothing waits. The first entry allocates a ring of 24-byte entries,
 * the last one frees it. Limits are checked when something is appended: they bound
 * the memory that a peer costs which does not read.
 *
 * The queue moves references and does not count them: appending gives one away,
 * popping returns it.
 */

enum out_kind {
	OUT_FRAME, /* struct payload: a frame of this connection's own */
	OUT_MESSAGE, /* struct worker_frame: a message of another user */
	OUT_OWN_MESSAGE, /* struct worker_frame: a message of this user */
	OUT_EVENT, /* struct worker_frame: an event, without a number */
};

struct out_entry {
	void *ref;
	uint64_t offset; /* of a message in the inbox */
	uint32_t bytes; /* on the wire, with all headers, at most */
	uint8_t kind; /* enum out_kind */
};

struct out_limits {
	uint32_t max_bytes;
	uint32_t max_entries;
};

struct out_ring {
	uint32_t first, count, capacity; /* capacity is a power of two */
	uint32_t bytes;
	struct out_entry entries[];
};

struct out_queue {
	struct out_ring *ring; /* NULL while empty */
};

/* ERR_FULL, and nothing is done: the queue is not empty and would exceed a limit. */
err_t out_queue_append(struct out_queue *queue, const struct out_limits *limits, const struct out_entry *entry) MUST_CHECK;

/* The oldest one, valid until the queue is changed; NULL: the queue is empty. */
static inline const struct out_entry *out_queue_first(const struct out_queue *queue)
{
	return queue->ring ? &queue->ring->entries[queue->ring->first] : NULL;
}

/* Takes the oldest one out; the queue is not empty. */
void out_queue_pop(struct out_queue *queue);

static inline uint32_t out_queue_bytes(const struct out_queue *queue)
{
	return queue->ring ? queue->ring->bytes : 0;
}

static inline uint32_t out_queue_entries(const struct out_queue *queue)
{
	return queue->ring ? queue->ring->count : 0;
}

static inline bool out_queue_is_empty(const struct out_queue *queue)
{
	return !queue->ring;
}

#endif
