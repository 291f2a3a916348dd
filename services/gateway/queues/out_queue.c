#include "gateway/queues/out_queue.h"

#include <assert.h>
#include <string.h>

#include "base/macros.h"
#include "base/mem.h"
#include "base/ring.h"

#define FIRST_CAPACITY 16

static struct out_ring *out_queue_ring_new(uint32_t capacity)
{
	struct out_ring *ring = mem_alloc(sizeof(*ring) + capacity * sizeof(ring->entries[0]));

	*ring = (struct out_ring){ .capacity = capacity };
	return ring;
}

static struct out_ring *out_queue_ring_double(struct out_ring *old)
{
	struct out_ring *ring = out_queue_ring_new(2 * old->capacity);

	ring_copy_doubled(ring->entries, old->entries, sizeof(old->entries[0]), old->capacity, old->first);
	ring->first = old->first;
	ring->count = old->count;
	ring->bytes = old->bytes;
	mem_free(old);
	return ring;
}

err_t out_queue_append(struct out_queue *queue, const struct out_limits *limits, const struct out_entry *entry)
{
	struct out_ring *ring = queue->ring;

	if (!ring)
		ring = out_queue_ring_new(FIRST_CAPACITY);
	else if (ring->count >= limits->max_entries || ring->bytes + (uint64_t)entry->bytes > limits->max_bytes)
		return ERR_FULL;
	else if (ring->count == ring->capacity)
		ring = out_queue_ring_double(ring);
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
