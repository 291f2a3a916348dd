#include "gateway/queues/conn_table.h"

#include <assert.h>
#include <stddef.h>

#include "base/macros.h"
#include "base/mem.h"

#define NO_SLOT UINT32_MAX
#define FIRST_CAPACITY 64

static uint64_t conn_table_make_id(const struct conn_table *table, uint32_t slot)
{
	return (uint64_t)table->worker << 56 | (uint64_t)slot << 32 | table->slots[slot].generation;
}

void conn_table_init(struct conn_table *table, unsigned worker)
{
	assert(worker < CONN_WORKERS_MAX);
	*table = (struct conn_table){ .worker = worker, .first_free = NO_SLOT };
}

void conn_table_release(struct conn_table *table)
{
	mem_free(table->slots);
	table->slots = NULL;
	table->slot_count = table->capacity = 0;
}

static bool conn_table_take_new_slot(struct conn_table *table, uint32_t *slot)
{
	if (table->slot_count == CONN_SLOTS_MAX)
		return false;
	if (table->slot_count == table->capacity) {
		table->capacity = table->capacity ? 2 * table->capacity : FIRST_CAPACITY;
		table->slots = mem_resize(table->slots, table->capacity * sizeof(*table->slots));
	}
	*slot = table->slot_count++;
	table->slots[*slot] = (struct conn_slot){ 0 };
	return true;
}

uint64_t conn_table_add(struct conn_table *table, void *conn)
{
	uint32_t slot = table->first_free;

	if (slot != NO_SLOT)
		table->first_free = table->slots[slot].next_free;
	else if (!conn_table_take_new_slot(table, &slot))
		return 0;
	table->slots[slot].conn = conn;
	if (++table->slots[slot].generation == 0)
		table->slots[slot].generation = 1;
	table->used++;
	return conn_table_make_id(table, slot);
}

void conn_table_remove(struct conn_table *table, uint64_t id)
{
	uint32_t slot = conn_slot(id);

	assert(conn_table_find(table, id));
	table->slots[slot].conn = NULL;
	table->slots[slot].next_free = table->first_free;
	table->first_free = slot;
	table->used--;
}
