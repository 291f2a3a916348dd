#ifndef SKEIN_CLUSTER_ROUTES_H
#define SKEIN_CLUSTER_ROUTES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text/buf.h"
#include "base/text/str.h"
#include "cluster/inbox.h"
#include "store/redis/redis.h"

/*
 * Where a user is connected. im:route:{uid} is a hash device -> route. A route
 * counts only while its gateway is registered under the same epoch
 * (cluster/node_list.h).
 *
 * Every change compares node, epoch and connection id, so a late unbind of an
 * old connection never removes the route of a newer one. A bind may also come
 * late: after its connection was closed (it waited in a frozen router, or in a
 * connection that was cut). It has no effect, because closing a route leaves the
 * key im:gone:{uid}:CONNECTION for ROUTE_GONE_S.
 *
 * Every change of a user's routes changes their version, which stands in the head of
 * the inbox (cluster/inbox.h). Routes that expire do not: their connections are gone.
 *
 * Thread: that of the Redis client. Texts are copied.
 */
#define ROUTE_GONE_S 120

struct route {
	struct str node; /* "gateway-1" */
	uint64_t node_epoch;
	uint64_t conn; /* the gateway's connection id */
	struct str platform;
	uint64_t since_ms;
};

/* The key of a user's routes: a hash from device to route. */
void route_key_write(struct buf *out, struct str uid);

/* "node|epoch|conn|platform|since", numbers in decimal. */
void route_write(struct buf *out, const struct route *route);
bool route_parse(struct str text, struct route *out);

/* One of a user's routes. */
struct device_route {
	struct str device;
	struct route route;
};

struct device_routes {
	struct device_route *items;
	size_t count;
};

/*
 * From an array of device, route, device, route ... Routes in an invalid form are left out. The texts point into the reply.
 * Free `items` with mem_free().
 */
struct device_routes device_routes_read(const redisReply *reply);

/* Which of the user's other routes a bind removes. */
enum route_policy {
	ROUTE_PER_DEVICE, /* the one of the same device */
	ROUTE_PER_PLATFORM, /* those of the same device and of the same platform */
	ROUTE_SINGLE, /* all */
};

struct route_binding {
	struct str uid, device;
	struct route route;
	enum route_policy policy;
	/*
	 * The connection is not new, its route was lost. It yields to routes with a later `since_ms`. A new connection never
	 * yields, so a wrong clock of another machine cannot keep it out.
	 */
	bool again;
	/* How many routes the user may have afterwards; 0: any number. At the bound the oldest ones are removed, or the
	 * bind fails. */
	unsigned max_routes;
	bool closes_oldest;
};

struct route_bound {
	uint64_t inbox_epoch;
	uint64_t inbox_head; /* number of the newest entry; 0 for an empty inbox */
	/* The removed routes, that of the same device included. Their connections may still be open. */
	const struct device_route *replaced;
	size_t replaced_count;
	bool has_come; /* the user counts as offline: see presence_note_came() */
};

/*
 * ERR_FAILED_PRECONDITION: the connection yields (see `again`) or was closed already. ERR_REJECTED: the user has `max_routes`
 * already. The caller closes the connection.
 */
typedef void (*route_bind_done)(void *arg, err_t err, const struct route_bound *bound);

/*
 * One script: puts the route, removes the routes that the policy excludes (those of dead nodes, too), makes the inbox if it is
 * missing, reads its head. Binding the same connection again changes nothing, and `replaced` is then empty.
 */
void route_bind(struct redis *redis, const struct inbox_limits *limits, uint64_t ttl_s, const struct route_binding *binding,
                route_bind_done done, void *arg);

/* `routes` are valid during the call. Routes in an invalid form are left out. */
typedef void (*route_list_done)(void *arg, err_t err, const struct device_route *routes, size_t count);

/* All routes of a user, including those of dead nodes. */
void route_list(struct redis *redis, struct str uid, route_list_done done, void *arg);

/* `removed`: whether the route was still this connection's. */
typedef void (*route_unbind_done)(void *arg, err_t err, bool removed);

/* Compare-and-delete by node, epoch and connection id. The connection may bind again if it is still open. */
void route_unbind(struct redis *redis, struct str uid, struct str device, struct str node, uint64_t node_epoch, uint64_t conn,
                  route_unbind_done done, void *arg);

/* The same for a closed connection: a later bind of it has no effect. */
void route_close(struct redis *redis, struct str uid, struct str device, struct str node, uint64_t node_epoch, uint64_t conn,
                 route_unbind_done done, void *arg);

/* `kept`: false when the route is missing or another connection's; then this one must bind again. */
typedef void (*route_renew_done)(void *arg, err_t err, bool kept);

/* Extends the life of the user's routes and inbox if the connection's route is still there. */
void route_renew(struct redis *redis, const struct inbox_limits *limits, uint64_t ttl_s, struct str uid, struct str device,
                 struct str node, uint64_t node_epoch, uint64_t conn, route_renew_done done, void *arg);

#endif
