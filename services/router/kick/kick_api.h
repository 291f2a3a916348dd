#ifndef SKEIN_ROUTER_KICK_KICK_API_H
#define SKEIN_ROUTER_KICK_KICK_API_H

#include "base/text/str.h"

struct app;
struct device_route;
struct rpc_call;

/*
 * Closes a user's connections on all gateways: reads the routes and asks each
 * gateway that is alive. UNAVAILABLE if a gateway did not answer: the caller asks
 * again. A connection that is being bound meanwhile is not closed, so the caller
 * must first see to it that the user's connections are refused. `arg` is the struct
 * app. Thread: the worker's.
 */
void kick_api_kick(struct rpc_call *call, struct str request, void *arg);

/*
 * Closes the connection of a route that a newer connection of `device` replaced, with 4001. Five tries; if all fail, the
 * connection's next renewal tells its gateway.
 */
void kick_replaced(struct app *app, struct str uid, struct str device, const struct device_route *replaced);

#endif
