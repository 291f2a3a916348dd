#include "base/users/user_lru.h"

#include "base/mem.h"

static struct str user_lru_uid_of(const struct map_node *node)
{
	return container_of(node, struct user_lru_entry, node)->uid;
}

void user_lru_init(struct user_lru *recent, size_t max, size_t entry_size)
{
	*recent = (struct user_lru){ .max = max, .entry_size = entry_size };
	map_init(&recent->users, user_lru_uid_of);
	list_init(&recent->by_use);
}

static void user_lru_forget(struct user_lru *recent, struct user_lru_entry *entry)
{
	map_remove(&recent->users, &entry->node);
	list_remove(&entry->by_use);
	mem_free(entry);
}

void user_lru_release(struct user_lru *recent)
{
	list_for_each(link, &recent->by_use)
		user_lru_forget(recent, container_of(link, struct user_lru_entry, by_use));
	map_release(&recent->users);
}

struct user_lru_entry *user_lru_find(struct user_lru *recent, struct str uid)
{
	struct map_node *node = map_find(&recent->users, uid);

	if (!node)
		return NULL;
	struct user_lru_entry *entry = container_of(node, struct user_lru_entry, node);
	list_remove(&entry->by_use);
	list_push_back(&recent->by_use, &entry->by_use);
	return entry;
}

void user_lru_drop(struct user_lru *recent, struct str uid)
{
	struct user_lru_entry *entry = user_lru_find(recent, uid);

	if (entry)
		user_lru_forget(recent, entry);
}

struct user_lru_entry *user_lru_make(struct user_lru *recent, struct str uid)
{
	struct user_lru_entry *entry = user_lru_find(recent, uid);

	if (entry)
		return entry;
	if (recent->users.len >= recent->max)
		user_lru_forget(recent, container_of(recent->by_use.next, struct user_lru_entry, by_use));
	entry = mem_zalloc(recent->entry_size + uid.len);
	char *text = (char *)entry + recent->entry_size;
	memcpy(text, uid.ptr, uid.len);
	entry->uid = str_of(text, uid.len);
	map_put(&recent->users, &entry->node);
	list_push_back(&recent->by_use, &entry->by_use);
	return entry;
}
