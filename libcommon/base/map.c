#include "base/map.h"

#include <assert.h>

#include "base/mem.h"

#define FIRST_SIZE 16

void map_init(struct map *map, map_key key)
{
	*map = (struct map){ .key = key };
}

void map_release(struct map *map)
{
	mem_free(map->buckets);
	map_init(map, map->key);
}

static struct map_node **map_bucket_of(const struct map *map, uint64_t hash)
{
	return &map->buckets[hash & (map->bucket_count - 1)];
}

static void map_push(struct map *map, struct map_node *node)
{
	struct map_node **bucket = map_bucket_of(map, node->hash);

	node->next = *bucket;
	*bucket = node;
}

static void map_grow(struct map *map)
{
	struct map_node **old = map->buckets;
	size_t old_count = map->bucket_count;

	map->bucket_count = old_count ? old_count * 2 : FIRST_SIZE;
	map->buckets = mem_zalloc(map->bucket_count * sizeof(*map->buckets));
	for (size_t i = 0; i < old_count; i++) {
		struct map_node *next;
		for (struct map_node *node = old[i]; node; node = next) {
			next = node->next;
			map_push(map, node);
		}
	}
	mem_free(old);
}

struct map_node *map_find(const struct map *map, struct str key)
{
	if (map->len == 0)
		return NULL;
	uint64_t hash = str_hash(key);
	for (struct map_node *node = *map_bucket_of(map, hash); node; node = node->next)
		if (node->hash == hash && str_equal(map->key(node), key))
			return node;
	return NULL;
}

void map_put(struct map *map, struct map_node *node)
{
	if (map->len == map->bucket_count)
		map_grow(map);
	node->hash = str_hash(map->key(node));
	map_push(map, node);
	map->len++;
}

void map_remove(struct map *map, struct map_node *node)
{
	struct map_node **at = map_bucket_of(map, node->hash);

	while (*at != node) {
		assert(*at);
		at = &(*at)->next;
	}
	*at = node->next;
	node->next = NULL;
	map->len--;
}

static struct map_node *map_first_from(const struct map *map, size_t bucket)
{
	for (; bucket < map->bucket_count; bucket++)
		if (map->buckets[bucket])
			return map->buckets[bucket];
	return NULL;
}

struct map_node *map_first(const struct map *map)
{
	return map->len ? map_first_from(map, 0) : NULL;
}

struct map_node *map_next(const struct map *map, const struct map_node *node)
{
	return node->next ? node->next : map_first_from(map, (node->hash & (map->bucket_count - 1)) + 1);
}
