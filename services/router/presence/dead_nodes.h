#ifndef SKEIN_ROUTER_PRESENCE_DEAD_NODES_H
#define SKEIN_ROUTER_PRESENCE_DEAD_NODES_H

#include <stdint.h>

#include "cluster/node_list.h"
#include "loop/worker.h"
#include "store/redis/redis.h"

/*
 * Every second: notes the users of gateways that have died since (cluster/presence.h), as of the time at which the gateway may have
 * died at the latest, and once more after DEAD_NODES_AGAIN_MS: an im that had not noticed may have added some. A gateway that was
 * only frozen comes back under the same epoch, and its users are noted once more. A dead gateway is forgotten after
 * DEAD_NODES_KEEP_MS, when its routes have expired.
 *
 * Several routers that do this at once do no harm. One gateway is worked on at a time, a page of its users after the other.
 * Thread: the worker's.
 */

#define DEAD_NODES_TICK_MS 1000
#define DEAD_NODES_KEEP_MS 600000u
#define DEAD_NODES_PAGE STR("500")

/* Longer than an im believes in a dead gateway: NODE_LIST_LIFE_S, and the steps of its batch. */
#define DEAD_NODES_AGAIN_MS 15000u

/* A gateway renews this often, so it may have lived so long after it was seen last. */
#define DEAD_NODES_RENEWAL_MS 3000

struct dead_nodes;

/* Free it before the node list, and that before the Redis client. */
struct dead_nodes *dead_nodes_new(struct worker *worker, struct redis *redis, struct node_list *nodes);
void dead_nodes_free(struct dead_nodes *dead);

#endif
