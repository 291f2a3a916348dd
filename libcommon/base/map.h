#ifndef SKEIN_BASE_MAP_H
#define SKEIN_BASE_MAP_H

#include <stddef.h>
#include <stdint.h>

#include "base/text/str.h"

/*
 * A hash map from texts to structs that embed a `struct map_node` and hold their
 * key themselves. The buckets are chains; their number is doubled when there is
 * one node a bucket. Finding, putting and removing are O(1) on average; putting
 * allocates only when the table grows. The hash has a key of the process
 * (str_hash). Thread: one at a time.
 */
struct map_node {
	struct map_node *next;
	uint64_t hash;
};

/* Returns the key of a node; it must not change while the node is in the map. */
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

/* In any order; NULL at the end. A node may be removed after map_next() has returned its successor. */
struct map_node *map_first(const struct map *map);
struct map_node *map_next(const struct map *map, const struct map_node *node);

#endif
