#include "im/changes/id_set.h"

#include "base/macros.h"
#include "base/mem.h"

struct id_set_entry {
	struct map_node link;
	uint64_t expires_ms;
	unsigned char id[JWT_TOKEN_ID_BYTES];
};

static struct id_set_entry *id_set_entry_of(const struct map_node *node)
{
	return container_of(node, struct id_set_entry, link);
}

static struct str id_set_id_of(const struct map_node *node)
{
	return str_of(id_set_entry_of(node)->id, JWT_TOKEN_ID_BYTES);
}

static void id_set_take_out(struct id_set *set, struct id_set_entry *entry)
{
	map_remove(&set->by_id, &entry->link);
	mem_free(entry);
}

void id_set_init(struct id_set *set)
{
	map_init(&set->by_id, id_set_id_of);
}

void id_set_release(struct id_set *set)
{
	for (struct map_node *node; (node = map_first(&set->by_id));)
		id_set_take_out(set, id_set_entry_of(node));
	map_release(&set->by_id);
}

bool id_set_add(struct id_set *set, const unsigned char id[JWT_TOKEN_ID_BYTES], uint64_t expires_ms)
{
	if (id_set_have(set, str_of(id, JWT_TOKEN_ID_BYTES)))
		return false;
	struct id_set_entry *entry = MEM_NEW(struct id_set_entry);
	entry->expires_ms = expires_ms;
	memcpy(entry->id, id, JWT_TOKEN_ID_BYTES);
	map_put(&set->by_id, &entry->link);
	return true;
}

bool id_set_have(const struct id_set *set, struct str id)
{
	return set->by_id.len > 0 && map_find(&set->by_id, id);
}

void id_set_forget(struct id_set *set, uint64_t expired_ms)
{
	for (struct map_node *next, *node = map_first(&set->by_id); node; node = next) {
		next = map_next(&set->by_id, node);
		if (id_set_entry_of(node)->expires_ms < expired_ms)
			id_set_take_out(set, id_set_entry_of(node));
	}
}
