#ifndef SKEIN_BASE_MAP_H
#define SKEIN_BASE_MAP_H

#include <stddef.h>
#include <stdint.h>

#include "base/text/str.h"

/*
 * A hash map from text to things that embed a `struct map_node` and keep their
 * key themselves. Chained buckets, doubled at one node a bucket; finding,
 * putting and removing are O(1) on average, and putting allocates only when
 * the table grows. The hash is keyed per process (str_hash).
 */
struct map_node {
	struct map_node *next;
	uint64_t hash;
};

/* The key of a node, valid as long as the node is in the map. */
typedef struct str (*map_key)(const struct map_node *node);

struct map {
	struct map_node **buckets;
	size_t bucket_count; /* a power of two, or 0 before the first put */
	size_t len;
	map_key key;
};

void map_init(struct map *map, map_key key);

/* Frees the table, not the nodes. */
void map_release(struct map *map);

struct map_node *map_find(const struct map *map, struct str key);

/* The key must not be in the map yet. */
void map_put(struct map *map, struct map_node *node);

/* The node must be in the map. */
void map_remove(struct map *map, struct map_node *node);

/* Any order; NULL at the end. Removing the node just returned is allowed once map_next() was asked for its follower. */
struct map_node *map_first(const struct map *map);
struct map_node *map_next(const struct map *map, const struct map_node *node);

#endif
