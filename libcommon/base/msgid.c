#include "base/msgid.h"

#include <assert.h>

#include "base/macros.h"

#define COUNTER_BITS 12
#define NODE_BITS 10
#define COUNTER_MAX ((1u << COUNTER_BITS) - 1)

/*
 * `last` is time and counter as one number, without the node between them. The
 * next id has last + 1 or the clock's time, whichever is larger; when the counter
 * overflows, last + 1 is in the next millisecond.
 */

void msgid_init(struct msgid *gen, unsigned node)
{
	assert(node <= MSGID_NODE_MAX);
	*gen = (struct msgid){ .node = node };
}

void msgid_raise(struct msgid *gen, uint64_t floor)
{
	uint64_t ms = floor >> (NODE_BITS + COUNTER_BITS);
	/* An id of a higher node number is above ours even with the same time and counter. */
	uint64_t counter = msgid_node(floor) > gen->node ? COUNTER_MAX : floor & COUNTER_MAX;

	gen->last = MAX(gen->last, ms << COUNTER_BITS | counter);
}

uint64_t msgid_next(struct msgid *gen, uint64_t wall_ms)
{
	uint64_t now = wall_ms > MSGID_EPOCH_MS ? (wall_ms - MSGID_EPOCH_MS) << COUNTER_BITS : 0;

	gen->last = MAX(gen->last + 1, now);
	uint64_t ms = gen->last >> COUNTER_BITS;
	return (ms << NODE_BITS | gen->node) << COUNTER_BITS | (gen->last & COUNTER_MAX);
}

uint64_t msgid_time_ms(uint64_t id)
{
	return (id >> (NODE_BITS + COUNTER_BITS)) + MSGID_EPOCH_MS;
}

unsigned msgid_node(uint64_t id)
{
	return (unsigned)(id >> COUNTER_BITS) & MSGID_NODE_MAX;
}
