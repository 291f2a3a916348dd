#ifndef SKEIN_CLUSTER_NODE_LIST_H
#define SKEIN_CLUSTER_NODE_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text/str.h"
#include "cluster/node.h"
#include "loop/worker.h"
#include "store/redis/redis.h"

/*
 * The living gateways, read from Redis every second. While Redis does not
 * answer, the last list stands for NODE_LIST_LIFE_S; after that it is empty.
 * Thread: that of the Redis client, for all functions.
 */
#define NODE_LIST_LIFE_S 10

struct node_list;

/* Free it before its Redis client. Callbacks that wait (node_list_refresh) are dropped. */
struct node_list *node_list_new(struct redis *redis, struct worker *worker);
void node_list_free(struct node_list *list);

/* NULL unless a living gateway has this name. Valid until the loop's next turn. */
const struct node *node_list_find(const struct node_list *list, struct str name);

/* As above, and NULL if the gateway is registered under another epoch. */
const struct node *node_list_find_epoch(const struct node_list *list, struct str name, uint64_t epoch);

/* Fills `out` with up to `max` living gateways, sorted by name; returns their number. */
size_t node_list_all(const struct node_list *list, const struct node **out, size_t max);

/* A read that began in the last NODE_LIST_LIFE_S has succeeded. */
bool node_list_is_fresh(const struct node_list *list);

/* `changed` is called after each read that changed the set of living (name, epoch) pairs. One caller only. */
void node_list_on_change(struct node_list *list, void (*changed)(void *arg), void *arg);

/*
 * Reads now; for a caller that has a route of an unknown gateway. `done` (may be NULL) is called after a read that started
 * after this call and succeeded, or when the list is no longer fresh. Any number of callers share one read.
 */
void node_list_refresh(struct node_list *list, void (*done)(void *arg), void *arg);

#endif
