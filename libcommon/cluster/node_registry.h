#ifndef SKEIN_CLUSTER_NODE_REGISTRY_H
#define SKEIN_CLUSTER_NODE_REGISTRY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text/str.h"
#include "cluster/node.h"
#include "store/redis/redis.h"

/*
 * The registrations of gateways in Redis. Each gateway has a key im:node:{name}
 * that lives for NODE_LIFE_S; the router renews it on the gateway's behalf.
 * im:nodes holds the names of the last day with their last epochs. A
 * registration gets an epoch above every earlier one of its name; a renewal
 * under another epoch is refused. cluster/node_list.h reads the registrations.
 *
 * Thread: that of the Redis client. Texts are copied; `done` may be NULL for
 * renew and remove.
 */

typedef void (*node_registered_done)(void *arg, err_t err, uint64_t epoch);

/* Registers the node under a fresh epoch. `node->epoch` is ignored. */
void node_register(struct redis *redis, const struct node *node, node_registered_done done, void *arg);

/*
 * ERR_FAILED_PRECONDITION: the name is registered under another epoch. If Redis lost the key, it is made again with the same
 * epoch and `was_out` is true: for a while the node counted as dead.
 */
typedef void (*node_renewed_done)(void *arg, err_t err, bool was_out);
void node_renew(struct redis *redis, const struct node *node, node_renewed_done done, void *arg);

/* For a gateway that exits in order. ERR_FAILED_PRECONDITION: the name is registered under another epoch, or not at all. */
void node_remove(struct redis *redis, struct str name, uint64_t epoch, node_renewed_done done, void *arg);

#endif
