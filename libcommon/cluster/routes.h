#ifndef SKEIN_CLUSTER_ROUTES_H
#define SKEIN_CLUSTER_ROUTES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text/buf.h"
#include "base/text/str.h"
#include "cluster/inbox.h"
#include "store/redis/redis.h"

/*
 * Where a user is connected. im:route:{uid} is a hash device -> route; a route
 * counts only if its node lives under the same epoch (cluster/nodes.h). Every
 * change compares the connection id, so that a late unbind of an old connection
 * never removes the route of a newer one. A bind that comes after the unbind of
 * its own connection (it lay in a router that stood still, or in a line that was
 * cut) has no effect, and replaces nobody: im:gone:{uid} with the connection
 * behind it stands for ROUTE_GONE_S.
 */
#define ROUTE_GONE_S 120

struct route {
	struct str node; /* "gateway-1" */
	uint64_t node_epoch;
	uint64_t conn; /* the gateway's connection id */
	struct str platform;
	uint64_t since_ms;
};

/* "node|epoch|conn|platform|since", numbers in decimal. */
void route_write(struct buf *out, const struct route *route);
bool route_parse(struct str text, struct route *out);

/* One of a user's routes. */
struct device_route {
	struct str device;
	struct route route;
};

/* What a bind makes of the user's other routes. */
enum route_policy {
	ROUTE_PER_DEVICE, /* only the device's own is replaced */
	ROUTE_PER_PLATFORM, /* those of the same platform go, too */
	ROUTE_SINGLE, /* all others go */
};

struct route_binding {
	struct str uid, device;
	struct route route;
	enum route_policy policy;
	/*
	 * Not a new connection, but one whose route was lost: it yields to those that came after it, by their `since_ms`.
	 * A new one never does, so that no clock of another machine keeps anybody out.
	 */
	bool again;
};

struct route_bound {
	uint64_t inbox_epoch;
	uint64_t inbox_head; /* number of the newest entry; 0 for an empty inbox */
	/* The routes that had to go, the device's own before among them; of connections that may still be open. */
	const struct device_route *replaced;
	size_t replaced_count;
};

/* ERR_FAILED_PRECONDITION: it was `again`, and yields, or is closed already; its connection should be closed. */
typedef void (*route_bind_done)(void *arg, err_t err, const struct route_bound *bound);

/*
 * Puts the route, removes those that the policy excludes (of dead nodes, too), makes the inbox if needed, reads its head:
 * one script. Binding the same connection again changes nothing; then nothing is `replaced`, whatever the first time
 * replaced. Texts are copied.
 */
void route_bind(struct redis *redis, const struct inbox_limits *limits, uint64_t ttl_s, const struct route_binding *binding,
                route_bind_done done, void *arg);

/* `routes` are valid during the call; what cannot be read is left out. */
typedef void (*route_list_done)(void *arg, err_t err, const struct device_route *routes, size_t count);

/* All routes of a user, those of dead nodes included. */
void route_list(struct redis *redis, struct str uid, route_list_done done, void *arg);

/* `removed`: whether the route was still this connection's. */
typedef void (*route_unbind_done)(void *arg, err_t err, bool removed);

/* Compare-and-delete by node, epoch and connection id. The connection may bind again, should it be there after all. */
void route_unbind(struct redis *redis, struct str uid, struct str device, struct str node, uint64_t node_epoch, uint64_t conn,
                  route_unbind_done done, void *arg);

/* The same for a connection that is closed: no bind of it has an effect any more. */
void route_close(struct redis *redis, struct str uid, struct str device, struct str node, uint64_t node_epoch, uint64_t conn,
                 route_unbind_done done, void *arg);

/* `kept`: false when the route is gone or somebody else's, and the connection has to bind again. */
typedef void (*route_renew_done)(void *arg, err_t err, bool kept);

/* Extends the life of the user's routes, and of the inbox, if this connection's is still among them. */
void route_renew(struct redis *redis, const struct inbox_limits *limits, uint64_t ttl_s, struct str uid, struct str device,
                 struct str node, uint64_t node_epoch, uint64_t conn, route_renew_done done, void *arg);

#endif
