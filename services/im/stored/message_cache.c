#include "im/stored/message_cache.h"

/* Bytes of a message besides its own allocation: the allocator's header and its share of the table. */
#define OVERHEAD 32

static struct str message_cache_key_of(const struct map_node *node)
{
	return container_of(node, struct stored_message, node)->key;
}

void message_cache_init(struct message_cache *cache, size_t max_bytes)
{
	*cache = (struct message_cache){ .max_bytes = max_bytes };
	map_init(&cache->messages, message_cache_key_of);
	list_init(&cache->by_use);
}

static void message_cache_forget(struct message_cache *cache, struct stored_message *message)
{
	map_remove(&cache->messages, &message->node);
	list_remove(&message->by_use);
	cache->bytes -= message->size + OVERHEAD;
	stored_message_unref(message);
}

void message_cache_clear(struct message_cache *cache)
{
	list_for_each(link, &cache->by_use)
		message_cache_forget(cache, container_of(link, struct stored_message, by_use));
}

void message_cache_release(struct message_cache *cache)
{
	message_cache_clear(cache);
	map_release(&cache->messages);
}

struct stored_message *message_cache_find(struct message_cache *cache, struct str key)
{
	struct map_node *node = map_find(&cache->messages, key);

	if (!node)
		return NULL;
	struct stored_message *message = container_of(node, struct stored_message, node);
	list_remove(&message->by_use);
	list_push_back(&cache->by_use, &message->by_use);
	return stored_message_ref(message);
}

void message_cache_put(struct message_cache *cache, struct stored_message *message)
{
	size_t size = message->size + OVERHEAD;

	if (size > cache->max_bytes || map_find(&cache->messages, message->key))
		return;
	while (cache->bytes + size > cache->max_bytes)
		message_cache_forget(cache, container_of(cache->by_use.next, struct stored_message, by_use));
	map_put(&cache->messages, &message->node);
	list_push_back(&cache->by_use, &message->by_use);
	cache->bytes += size;
	stored_message_ref(message);
}
