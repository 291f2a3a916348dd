#include "gateway/queues/conn_table.h"

#include <assert.h>
#include <stddef.h>

#include "base/macros.h"
#include "base/mem.h"

#define NO_SLOT UINT32_MAX
#define CONN_TABLE_FIRST_CAPACITY 64

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

uint64_t conn_table_add(struct conn_table *table, void *conn)
{
	uint32_t index = table->first_free;

	if (index == NO_SLOT) {
		if (table->slot_count == CONN_SLOTS_MAX)
			return 0;
		MEM_RESERVE_ONE(table->slots, table->slot_count, table->capacity, CONN_TABLE_FIRST_CAPACITY);
		index = table->slot_count++;
		table->slots[index] = (struct conn_slot){ 0 };
	} else {
		table->first_free = table->slots[index].next_free;
	}
	struct conn_slot *slot = &table->slots[index];
	slot->conn = conn;
	if (++slot->generation == 0)
		slot->generation = 1;
	table->used++;
	return (uint64_t)table->worker << 56 | (uint64_t)index << 32 | slot->generation;
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
