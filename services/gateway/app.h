#ifndef SKEIN_GATEWAY_APP_H
#define SKEIN_GATEWAY_APP_H

#include <stdatomic.h>
#include <stdbool.h>

/*
 * One gateway process, for the files that bring it up and take it down (main.c,
 * drain/). main.c makes the parts. Every other folder gets a struct of its own with
 * the parts that it uses (session_home, gateway_service, route_link_setup ...).
 */

struct drain;
struct gateway_config;
struct registration;
struct route_link;
struct rpc_server;
struct service;
struct stalled_bytes;
struct ws_budget;
struct ws_worker;

struct app {
	struct gateway_config *config;
	struct service *service; /* its worker is the main worker: it talks to router and serves the internal port and gRPC */
	struct rpc_server *server;
	struct route_link *routes;
	struct registration *registration;
	struct drain *drain;
	const struct ws_budget *handshakes;
	const struct stalled_bytes *stalled_bytes;
	struct ws_worker *workers;
	unsigned worker_count;
	unsigned listening_workers;
	void (*take_down)(struct app *app); /* after the drain: servers, channels, threads */

	atomic_uint_fast64_t node_epoch; /* 0 until the gateway is registered */
	atomic_uint connections; /* of all workers, from the handshake on */
	atomic_bool is_listening;
};

#endif
