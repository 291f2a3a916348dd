#ifndef SKEIN_DELIVER_GATEWAYS_H
#define SKEIN_DELIVER_GATEWAYS_H

#include <stddef.h>
#include <stdint.h>

#include "base/text/str.h"
#include "cluster/node_list.h"
#include "deliver/gateway.h"
#include "loop/worker.h"
#include "rpc/client/rpc_client.h"

/*
 * All gateways that push streams to, as the node list has them: a stream is opened
 * to each gateway that registers, and all deliveries to a gateway that leaves the
 * list end. A gateway that a route names and the list does not have is looked up
 * before it counts as dead, since it may have registered a moment ago. Thread: the
 * worker's.
 */

struct gateways;

struct gateways *gateways_new(struct worker *worker, struct rpc_client *client, struct node_list *nodes, uint64_t give_up_ms);

/* Ends every delivery that is left. */
void gateways_free(struct gateways *gateways);

/* The gateway of that registration, with a reference for the caller: gateway_unref(). */
struct gateway *gateways_get(struct gateways *gateways, struct str name, uint64_t epoch);

/* Fills `out` with up to `max` gateways that are alive, without references: valid until the loop's next turn. */
#define GATEWAYS_MAX 1024
size_t gateways_living(const struct gateways *gateways, struct gateway **out, size_t max);

/* Deliveries that gateways have not answered; noted ones do not count. */
unsigned gateways_in_flight(const struct gateways *gateways);

/* The node list was read, and the streams to all living gateways are open. */
bool gateways_are_reached(const struct gateways *gateways);

#endif
