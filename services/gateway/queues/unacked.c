#include "gateway/queues/unacked.h"

#include "base/mem.h"
#include "base/ring.h"

struct unacked_entry {
	uint64_t offset;
	struct message_name *name;
};

struct unacked_ring {
	uint64_t epoch;
	uint32_t first, count, capacity; /* capacity is a power of two */
	struct unacked_entry entries[];
};

#define UNACKED_FIRST_CAPACITY 4

/* A ring of twice the capacity in place of a full one; the first ring for NULL. */
static struct unacked_ring *unacked_ring_grow(struct unacked_ring *old, uint64_t epoch)
{
	uint32_t capacity = old ? 2 * old->capacity : UNACKED_FIRST_CAPACITY;
	struct unacked_ring *ring = mem_alloc(sizeof(*ring) + capacity * sizeof(ring->entries[0]));

	*ring = (struct unacked_ring){ .epoch = epoch, .capacity = capacity };
	if (old) {
		ring_copy_doubled(ring->entries, old->entries, sizeof(old->entries[0]), old->capacity, old->first);
		ring->first = old->first;
		ring->count = old->count;
	}
	mem_free(old);
	return ring;
}

static struct message_name *unacked_pop(struct unacked *unacked)
{
	struct unacked_ring *ring = unacked->ring;
	struct message_name *name = ring->entries[ring->first].name;

	ring->first = (ring->first + 1) & (ring->capacity - 1);
	if (--ring->count == 0) {
		mem_free(ring);
		unacked->ring = NULL;
	}
	return name;
}

void unacked_add(struct unacked *unacked, uint64_t epoch, uint64_t offset, struct message_name *name)
{
	if (unacked->ring && unacked->ring->epoch != epoch)
		unacked_clear(unacked);
	if (unacked->ring && unacked->ring->count == UNACKED_MAX)
		message_name_unref(unacked_pop(unacked));
	else if (!unacked->ring || unacked->ring->count == unacked->ring->capacity)
		unacked->ring = unacked_ring_grow(unacked->ring, epoch);
	struct unacked_ring *ring = unacked->ring;
	ring->entries[(ring->first + ring->count) & (ring->capacity - 1)] = (struct unacked_entry){ offset, name };
	ring->count++;
}

struct message_name *unacked_take(struct unacked *unacked, uint64_t epoch, uint64_t offset)
{
	const struct unacked_ring *ring = unacked->ring;

	if (ring && ring->epoch != epoch) {
		unacked_clear(unacked);
		return NULL;
	}
	return ring && ring->entries[ring->first].offset <= offset ? unacked_pop(unacked) : NULL;
}

void unacked_clear(struct unacked *unacked)
{
	while (unacked->ring)
		message_name_unref(unacked_pop(unacked));
}
