#ifndef SKEIN_DELIVER_GATEWAYS_H
#define SKEIN_DELIVER_GATEWAYS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/payload.h"
#include "base/text/str.h"
#include "loop/worker.h"
#include "proto/delivery.pb-c.h"
#include "rpc/client/rpc_client.h"
#include "cluster/nodes.h"

/*
 * The gateways that push streams to. A gateway is a registration: a name with
 * an epoch; the same name under another epoch is another gateway.
 *
 * A delivery given to a gateway ends in exactly one `done`: when the gateway has
 * answered it, or when the gateway is dead (out of the node list). In between
 * it is sent again whenever the stream had to be opened anew: the gateway drops
 * what it has seen by its number. A gateway that nobody here knows yet is looked
 * up before it counts as dead, since it may have registered a moment ago.
 *
 * A gateway that does not answer (frozen, half cut off, too slow) must not take
 * push's memory, nor the others' turn. With GATEWAY_MAX_IN_FLIGHT deliveries (or
 * GATEWAY_MAX_BYTES) unanswered it is behind: of what comes then only the numbers
 * are noted (missed_offsets.h). Once half of them are answered it is told these, in
 * deliveries without a message: its connections notice the hole and read it from
 * the inbox. What was noted is done when that is answered.
 *
 * One that has left a delivery unanswered for give_up_ms (its stream broken or not, whatever else it says) is given up:
 * all its deliveries are done, and what comes then is noted and done soon after. The numbers stay, and an empty delivery,
 * the probe, is sent to it, on a new stream each give_up_ms: when it is answered, the numbers are told as above. So a
 * gateway that is registered and does not do its work holds no offset back for longer. Thread: the worker's.
 */

#define GATEWAY_MAX_IN_FLIGHT 1000u
#define GATEWAY_MAX_BYTES (8u << 20)

struct gateways;
struct gateway;

/* Embed it in what is delivered. */
struct delivery {
	struct list link;
	struct gateway *gateway;
	struct payload *batch; /* as it goes over the wire */
	uint64_t id;
	uint64_t since_ms; /* when the gateway was given it */
	bool is_noted; /* the gateway is to be told its numbers only */
	/* The gateway has no such connection. Before `done`; not of what was noted. */
	void (*gone)(struct delivery *delivery, uint64_t conn);
	/* The last call; the delivery is the owner's again. */
	void (*done)(struct delivery *delivery);
};

struct gateways *gateways_new(struct worker *worker, struct rpc_client *client, struct node_list *nodes, uint64_t give_up_ms);

/* Every delivery must have ended. */
void gateways_free(struct gateways *gateways);

/* The gateway of that registration, with a reference for the caller. */
struct gateway *gateways_get(struct gateways *gateways, struct str name, uint64_t epoch);
void gateway_unref(struct gateway *gateway);

bool gateway_is_dead(const struct gateway *gateway);
struct str gateway_name(const struct gateway *gateway);
uint64_t gateway_epoch(const struct gateway *gateway);

/*
 * Sends `content` (its id and node_epoch are filled in here), or notes its numbers: then delivery->is_noted. `gone` and
 * `done` never come from inside this call.
 */
void gateway_deliver(struct gateway *gateway, struct delivery *delivery, Skein__V1__Delivery *content);

/* Deliveries that were not noted and have not ended. */
unsigned gateways_in_flight(const struct gateways *gateways);

#endif
