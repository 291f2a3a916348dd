#ifndef SKEIN_ROUTER_KICK_KICK_API_H
#define SKEIN_ROUTER_KICK_KICK_API_H

#include "base/text/str.h"

struct app;
struct device_route;
struct rpc_call;

/*
 * Closes a user's connections, wherever they are: reads the routes, asks each
 * gateway that lives. UNAVAILABLE if one of them did not answer: then ask
 * again. A connection that is only just being bound is not met: whoever must
 * not connect any more has to be refused first. `arg` is the struct app.
 * Thread: the worker's.
 */
void kick_api_kick(struct rpc_call *call, struct str request, void *arg);

/*
 * The connection of a route that a newer connection of `device` replaced is closed with 4001. Tried for some seconds;
 * after that it learns it by its next renewal.
 */
void kick_replaced(struct app *app, struct str uid, struct str device, const struct device_route *replaced);

#endif
