#include "gateway/queues/out_queue.h"

#include <assert.h>
#include <string.h>

#include "base/macros.h"
#include "base/mem.h"
#include "base/ring.h"

#define OUT_QUEUE_FIRST_CAPACITY 16

/* A ring of twice the capacity in place of a full one; the first ring for NULL. */
static struct out_ring *out_queue_ring_grow(struct out_ring *old)
{
	uint32_t capacity = old ? 2 * old->capacity : OUT_QUEUE_FIRST_CAPACITY;
	struct out_ring *ring = mem_alloc(sizeof(*ring) + capacity * sizeof(ring->entries[0]));

	*ring = (struct out_ring){ .capacity = capacity };
	if (old) {
		ring_copy_doubled(ring->entries, old->entries, sizeof(old->entries[0]), old->capacity, old->first);
		ring->first = old->first;
		ring->count = old->count;
		ring->bytes = old->bytes;
	}
	mem_free(old);
	return ring;
}

err_t out_queue_append(struct out_queue *queue, const struct out_limits *limits, const struct out_entry *entry)
{
	struct out_ring *ring = queue->ring;

	if (ring && (ring->count >= limits->max_entries || ring->bytes + (uint64_t)entry->bytes > limits->max_bytes))
		return ERR_FULL;
	if (!ring || ring->count == ring->capacity)
		ring = out_queue_ring_grow(ring);
	ring->entries[(ring->first + ring->count) & (ring->capacity - 1)] = *entry;
	ring->count++;
	ring->bytes += entry->bytes;
	queue->ring = ring;
	return OK;
}

void out_queue_pop(struct out_queue *queue)
{
	struct out_ring *ring = queue->ring;

	assert(ring);
	ring->bytes -= ring->entries[ring->first].bytes;
	ring->first = (ring->first + 1) & (ring->capacity - 1);
	if (--ring->count == 0) {
		mem_free(ring);
		queue->ring = NULL;
	}
}
