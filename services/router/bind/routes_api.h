#ifndef SKEIN_ROUTER_BIND_ROUTES_API_H
#define SKEIN_ROUTER_BIND_ROUTES_API_H

#include "rpc/server/rpc_server.h"

struct app;

/*
 * The stream on which a gateway binds, renews and unbinds its connections.
 * Each change becomes one script in Redis and one answer; answers that are
 * ready together are sent as one batch. Changes of one connection are executed in
 * the order in which they came. Connections that a bind replaces are closed
 * (kick_api.h). `arg` is the struct app. Thread: the worker's.
 */
extern const struct rpc_stream_handlers routes_api_handlers;

/* Before the server starts. */
void routes_api_init(struct app *app);

/* Ends the binds that wait for the list of nodes. Before that is freed. */
void routes_api_close(struct app *app);

#endif
