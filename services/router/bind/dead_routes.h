#ifndef SKEIN_ROUTER_BIND_DEAD_ROUTES_H
#define SKEIN_ROUTER_BIND_DEAD_ROUTES_H

#include "base/text/str.h"

struct app;

typedef void (*dead_routes_done)(void *arg);

/*
 * Removes a user's routes at gateways that are dead: they take up places of `limits.devices`. Call it after a refresh of the
 * list of nodes, because a gateway that registered just now may be missing in an older one. `done` is called when Redis has
 * answered or failed. Each route is removed by compare-and-delete. Thread: the worker's.
 */
void dead_routes_remove(struct app *app, struct str uid, dead_routes_done done, void *arg);

#endif
