#include "im/recent.h"

#include "base/mem.h"

static struct str uid_of(const struct map_node *node)
{
	return container_of(node, struct recent_entry, node)->uid;
}

void recent_init(struct recent *recent, size_t max, size_t entry_size)
{
	*recent = (struct recent){ .max = max, .entry_size = entry_size };
	map_init(&recent->users, uid_of);
	list_init(&recent->by_use);
}

static void forget(struct recent *recent, struct recent_entry *entry)
{
	map_remove(&recent->users, &entry->node);
	list_remove(&entry->by_use);
	mem_free(entry);
}

void recent_release(struct recent *recent)
{
	list_for_each(link, &recent->by_use)
		forget(recent, container_of(link, struct recent_entry, by_use));
	map_release(&recent->users);
}

struct recent_entry *recent_find(struct recent *recent, struct str uid)
{
	struct map_node *node = map_find(&recent->users, uid);

	if (!node)
		return NULL;
	struct recent_entry *entry = container_of(node, struct recent_entry, node);
	list_remove(&entry->by_use);
	list_push_back(&recent->by_use, &entry->by_use);
	return entry;
}

struct recent_entry *recent_make(struct recent *recent, struct str uid)
{
	struct recent_entry *entry = recent_find(recent, uid);

	if (entry)
		return entry;
	if (recent->users.len >= recent->max)
		forget(recent, container_of(recent->by_use.next, struct recent_entry, by_use));
	entry = mem_zalloc(recent->entry_size + uid.len);
	char *text = (char *)entry + recent->entry_size;
	memcpy(text, uid.ptr, uid.len);
	entry->uid = str_of(text, uid.len);
	map_put(&recent->users, &entry->node);
	list_push_back(&recent->by_use, &entry->by_use);
	return entry;
}
