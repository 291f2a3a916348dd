#ifndef SKEIN_BASE_MSGID_H
#define SKEIN_BASE_MSGID_H

#include <stdint.h>

/*
 * Message ids: 41 bits of milliseconds since 2024, 10 bits of the leased node
 * number, 12 bits of a counter. Ordered by time across the cluster, up to the
 * clocks' difference; unique as long as no two processes hold a node number at
 * once. When the clock steps back, or more than 4,096 ids are wanted in a
 * millisecond, the generator goes on from its last time: ids never go back.
 * Thread: one generator belongs to one thread.
 */

#define MSGID_NODE_MAX 1023
#define MSGID_EPOCH_MS 1704067200000ull /* 2024-01-01T00:00:00Z */

struct msgid {
	uint64_t last; /* milliseconds and counter of the last id */
	unsigned node;
};

void msgid_init(struct msgid *gen, unsigned node);

/* The next id will be above `floor`, the last id that this node number has used (0 for none). */
void msgid_raise(struct msgid *gen, uint64_t floor);

uint64_t msgid_next(struct msgid *gen, uint64_t wall_ms);

uint64_t msgid_time_ms(uint64_t id);
unsigned msgid_node(uint64_t id);

#endif
