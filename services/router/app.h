#ifndef SKEIN_ROUTER_APP_H
#define SKEIN_ROUTER_APP_H

#include "router/config.h"
#include "router/kick/gateway_calls.h"
#include "rpc/client/rpc_client.h"
#include "rpc/server/rpc_server.h"
#include "service/service.h"
#include "cluster/inbox_limits.h"
#include "cluster/node_list.h"
#include "store/redis/redis.h"

/* All of one router process. Everything runs on the main worker. */
struct app {
	struct service service;
	struct router_config config;
	struct redis *redis;
	struct node_list *nodes;
	struct dead_nodes *dead_nodes; /* NULL: presence.enabled is off */
	struct rpc_client *client;
	struct gateway_calls *gateways;
	struct rpc_server *rpc;
	struct inbox_limits inbox_limits;
	struct list full_binds; /* of routes_api.c: binds of users with too many routes, while the list of nodes is read */
	struct counter *full[2]; /* their outcome: refused, or room was made */
	struct counter *changes[3]; /* of routes, by Skein__V1__RouteChange__Op */
};

#endif
