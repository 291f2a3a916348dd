#include "router/bind/dead_routes.h"

#include "base/mem.h"
#include "cluster/routes.h"
#include "router/app.h"

struct dead_routes {
	struct app *app;
	unsigned open; /* removals that Redis has not answered, and 1 until all are asked */
	dead_routes_done done;
	void *arg;
	char uid[65];
};

static void dead_routes_leave(struct dead_routes *dead)
{
	if (--dead->open)
		return;
	dead->done(dead->arg);
	mem_free(dead);
}

static void dead_routes_on_removed(void *arg, err_t err, bool removed)
{
	(void)err; /* the route stays, and counts as one of the user's */
	(void)removed;
	dead_routes_leave(arg);
}

static void dead_routes_on_listed(void *arg, err_t err, const struct device_route *routes, size_t count)
{
	struct dead_routes *dead = arg;
	struct app *app = dead->app;
	(void)err; /* then there are no routes */

	for (size_t i = 0; i < count; i++) {
		const struct route *route = &routes[i].route;

		if (!node_list_is_fresh(app->nodes) || node_list_find_epoch(app->nodes, route->node, route->node_epoch))
			continue;
		dead->open++;
		route_unbind(app->redis, str_from(dead->uid), routes[i].device, route->node, route->node_epoch, route->conn,
		             dead_routes_on_removed, dead);
	}
	dead_routes_leave(dead);
}

void dead_routes_remove(struct app *app, struct str uid, dead_routes_done done, void *arg)
{
	struct dead_routes *dead = MEM_NEW(struct dead_routes);

	*dead = (struct dead_routes){ .app = app, .open = 1, .done = done, .arg = arg };
	(void)str_copy(dead->uid, sizeof(dead->uid), uid);
	route_list(app->redis, uid, dead_routes_on_listed, dead);
}
