#ifndef SKEIN_GATEWAY_QUEUES_CONN_TABLE_H
#define SKEIN_GATEWAY_QUEUES_CONN_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The connections of one worker, by their id. An id is
 *
 *   worker (8 bits) | slot (24) | generation (32)
 *
 * so finding one is an index and a comparison, without a hash and without a lock.
 * The generation of a slot rises with each connection that it gets: the id of a
 * connection that is gone finds nothing, even when its slot is in use again. Ids
 * are never 0. They are unique only together with the node's epoch. Thread: the
 * worker's.
 */

#define CONN_WORKERS_MAX 256
#define CONN_SLOTS_MAX (1u << 24)

struct conn_slot {
	void *conn; /* NULL while free */
	uint32_t generation; /* of this connection, or of the last one */
	uint32_t next_free;
};

struct conn_table {
	struct conn_slot *slots;
	uint32_t slot_count, capacity; /* slots that were ever used; slots allocated */
	uint32_t first_free;
	uint32_t used;
	unsigned worker;
};

void conn_table_init(struct conn_table *table, unsigned worker);
void conn_table_release(struct conn_table *table);

/* A slot for `conn`; returns its id, or 0 when all are taken. */
uint64_t conn_table_add(struct conn_table *table, void *conn);

/* The id must be there. */
void conn_table_remove(struct conn_table *table, uint64_t id);

/* The connection in a slot below slot_count; NULL: the slot is free. */
static inline void *conn_table_at(const struct conn_table *table, uint32_t slot)
{
	return table->slots[slot].conn;
}

/*
 * For walks: the first connection in `*slot` or behind it; NULL: there is none. Moves `*slot` behind it. The connection may
 * be removed during the walk.
 */
static inline void *conn_table_next(const struct conn_table *table, uint32_t *slot)
{
	while (*slot < table->slot_count) {
		void *conn = table->slots[(*slot)++].conn;

		if (conn)
			return conn;
	}
	return NULL;
}

/* The worker that an id names; this process may not have it. */
static inline unsigned conn_worker(uint64_t id)
{
	return (unsigned)(id >> 56);
}

static inline uint32_t conn_slot(uint64_t id)
{
	return (uint32_t)(id >> 32) & (CONN_SLOTS_MAX - 1);
}

/* NULL: it is gone, or it is another worker's. */
static inline void *conn_table_find(const struct conn_table *table, uint64_t id)
{
	uint32_t slot = conn_slot(id);

	if (conn_worker(id) != table->worker || slot >= table->slot_count || table->slots[slot].generation != (uint32_t)id)
		return NULL;
	return table->slots[slot].conn;
}

/* Prefetches the first bytes of the connection, for a conn_table_find() soon after. Any id. */
static inline void conn_table_prefetch(const struct conn_table *table, uint64_t id)
{
	uint32_t slot = conn_slot(id);

	if (slot >= table->slot_count)
		return;
	const char *conn = table->slots[slot].conn;
	__builtin_prefetch(conn, 1);
	__builtin_prefetch(conn + 64, 1);
}

#endif
