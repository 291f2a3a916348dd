#ifndef SKEIN_ROUTER_APP_H
#define SKEIN_ROUTER_APP_H

#include "loop/signals.h"
#include "loop/worker.h"
#include "net/http/internal_server.h"
#include "router/config.h"
#include "router/kick/gateway_calls.h"
#include "rpc/client/rpc_client.h"
#include "rpc/server/rpc_server.h"
#include "cluster/inbox_limits.h"
#include "cluster/node_list.h"
#include "store/redis/redis.h"

/* All of one router process. Everything runs on the one worker, the main thread. */
struct app {
	struct router_config config;
	struct worker worker;
	struct signals signals;
	struct redis *redis;
	struct node_list *nodes;
	struct rpc_client *client;
	struct gateway_calls *gateways;
	struct rpc_server *rpc;
	struct internal_server *internal;
	struct inbox_limits inbox_limits;
	struct counter *changes[3]; /* asked for, by Skein__V1__RouteChange__Op */
};

#endif
