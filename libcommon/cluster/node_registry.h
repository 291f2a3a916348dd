#ifndef SKEIN_CLUSTER_NODE_REGISTRY_H
#define SKEIN_CLUSTER_NODE_REGISTRY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/map.h"
#include "base/text/str.h"
#include "store/redis/redis.h"

/*
 * The gateways that live. Each has a key im:node:{name} with a life of
 * NODE_LIFE_S, renewed by the router on the gateway's behalf; im:nodes holds
 * the names seen in the last day, with their last epoch. A registration draws
 * an epoch above any that the name had before; a renewal under another epoch is
 * refused.
 */

/* With the second after which the list is read again: a dead gateway's routes are not used for longer than 10 s. */
#define NODE_LIFE_S 8
/* How long a list stands that cannot be read again. */
#define NODE_LIST_LIFE_S 10

struct node {
	struct map_node link;
	char name[65];
	uint64_t epoch;
	char grpc_address[128]; /* where push opens its stream: "10.0.0.7:9301" */
	char ws_url[256]; /* what /v1/endpoints tells clients */
	char cell[65];
	bool is_draining;
	uint64_t connections, queue_bytes, lag_ms; /* as of the last renewal */
};

typedef void (*node_registered_done)(void *arg, err_t err, uint64_t epoch);

/* Registers under a fresh epoch. */
void node_register(struct redis *redis, const struct node *node, node_registered_done done, void *arg);

/*
 * OK, or ERR_FAILED_PRECONDITION when the name lives under another epoch. A key that Redis forgot is made again with the
 * same epoch; `was_out`: that was so, and for a while the node counted as dead.
 */
typedef void (*node_renewed_done)(void *arg, err_t err, bool was_out);
void node_renew(struct redis *redis, const struct node *node, node_renewed_done done, void *arg);

/* Removes the node if its epoch is still this one: a clean exit. */
void node_remove(struct redis *redis, struct str name, uint64_t epoch, node_renewed_done done, void *arg);

/*
 * The list, read again every second. Between reads, and for up to
 * NODE_LIST_LIFE_S while Redis is away, the last one stands; then all are out.
 */
struct node_list;

/* Free it before its Redis client; nobody who waits is called any more. */
struct node_list *node_list_new(struct redis *redis, struct worker *worker);
void node_list_free(struct node_list *list);

/* NULL unless the node lives. Valid until the loop's next turn. */
const struct node *node_list_find(const struct node_list *list, struct str name);

/* As above, and only if it lives under that epoch. */
const struct node *node_list_find_epoch(const struct node_list *list, struct str name, uint64_t epoch);

/* Fills `out` with up to `max` living nodes in the order of their names; returns how many. */
size_t node_list_all(const struct node_list *list, const struct node **out, size_t max);

/* At least one read has succeeded in the last NODE_LIST_LIFE_S. */
bool node_list_is_fresh(const struct node_list *list);

/* After each read that changed the set of living (name, epoch) pairs. */
void node_list_on_change(struct node_list *list, void (*changed)(void *arg), void *arg);

/*
 * For whoever met a route of a node it does not know: `done` is called after the next read that starts after this call
 * and succeeds, or once the list is stale (see above). Reads are coalesced. `done` may be NULL.
 */
void node_list_refresh(struct node_list *list, void (*done)(void *arg), void *arg);

#endif
