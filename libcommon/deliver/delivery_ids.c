#include "deliver/delivery_ids.h"

#include <assert.h>

#include "base/mem.h"

#define SLOT_BITS 24
#define NO_SLOT UINT32_MAX

struct delivery_slot {
	struct delivery *delivery;
	uint32_t generation;
	uint32_t next_free;
};

void delivery_ids_init(struct delivery_ids *ids)
{
	*ids = (struct delivery_ids){ .free = NO_SLOT };
}

void delivery_ids_release(struct delivery_ids *ids)
{
	mem_free(ids->slots);
}

uint64_t delivery_ids_take(struct delivery_ids *ids, struct delivery *delivery)
{
	if (ids->free == NO_SLOT) {
		uint32_t count = ids->count ? ids->count * 2 : 256;

		assert(count <= 1u << SLOT_BITS);
		ids->slots = mem_resize(ids->slots, count * sizeof(*ids->slots));
		for (uint32_t i = count; i-- > ids->count;) {
			ids->slots[i] = (struct delivery_slot){ .next_free = ids->free };
			ids->free = i;
		}
		ids->count = count;
	}
	uint32_t index = ids->free;
	struct delivery_slot *slot = &ids->slots[index];
	ids->free = slot->next_free;
	slot->delivery = delivery;
	slot->generation++;
	return (uint64_t)slot->generation << SLOT_BITS | index;
}

struct delivery *delivery_ids_find(const struct delivery_ids *ids, uint64_t id)
{
	uint64_t index = id & ((1u << SLOT_BITS) - 1);

	if (index >= ids->count || ids->slots[index].generation != id >> SLOT_BITS)
		return NULL;
	return ids->slots[index].delivery;
}

void delivery_ids_give_back(struct delivery_ids *ids, uint64_t id)
{
	uint32_t index = id & ((1u << SLOT_BITS) - 1);

	ids->slots[index].delivery = NULL;
	ids->slots[index].next_free = ids->free;
	ids->free = index;
}
