#ifndef SKEIN_PUSH_INBOXES_ROUTE_CACHE_H
#define SKEIN_PUSH_INBOXES_ROUTE_CACHE_H

#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/map.h"
#include "base/telemetry/metrics.h"
#include "base/text/str.h"
#include "cluster/inbox.h"
#include "cluster/routes.h"

/*
 * Routes of users as they were at a version that an append answered. They are not
 * used on their own: an append compares the version in the script that appends
 * (inbox_append() with `known`), so a route that was bound before the append is never
 * missing. Routes that have expired in Redis may still be here: their gateway says
 * that the connection is gone, or is dead, and the user is forgotten.
 *
 * Holds up to `max` users, about 400 bytes each; the longest unused are forgotten.
 * Thread: the worker's.
 */

/* One user's routes. Apart from `known.newest` they never change, and an append under way holds a reference to them. */
struct user_routes {
	struct map_node link;
	struct list recent; /* of those in the cache, the latest used first */
	unsigned refs;
	struct str uid;
	struct inbox_known known;
	size_t count;
	struct device_route items[]; /* the texts stand behind the array */
};

struct route_cache {
	struct map by_uid;
	struct list recent;
	size_t max;
	struct counter *hits, *misses, *changed;
};

void route_cache_init(struct route_cache *cache, size_t max);
void route_cache_release(struct route_cache *cache);

/* NULL: not known. The cache keeps its reference. */
struct user_routes *route_cache_find(struct route_cache *cache, struct str uid);

/* Copies what an append without `known` answered, in place of what is known of the user. Returns it; the cache's reference. */
struct user_routes *route_cache_put(struct route_cache *cache, struct str uid, const struct inbox_appended *appended);

/* The user's routes are read again with the next append. */
void route_cache_forget(struct route_cache *cache, struct str uid);

struct user_routes *user_routes_ref(struct user_routes *routes);
void user_routes_unref(struct user_routes *routes); /* NULL is fine */

#endif
