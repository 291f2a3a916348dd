#ifndef SKEIN_DELIVER_DELIVERY_IDS_H
#define SKEIN_DELIVER_DELIVERY_IDS_H

#include <stdint.h>

/*
 * Ids for deliveries under way. An id is the number of a slot and the count of the
 * slot's uses, so an answer that is late, repeated or invented finds no delivery.
 * Pure: no I/O.
 */

struct delivery;
struct delivery_slot;

struct delivery_ids {
	struct delivery_slot *slots;
	uint32_t count, free;
};

void delivery_ids_init(struct delivery_ids *ids);
void delivery_ids_release(struct delivery_ids *ids);

uint64_t delivery_ids_take(struct delivery_ids *ids, struct delivery *delivery);

/* NULL: no delivery under way has this id. */
struct delivery *delivery_ids_find(const struct delivery_ids *ids, uint64_t id);

void delivery_ids_give_back(struct delivery_ids *ids, uint64_t id);

#endif
