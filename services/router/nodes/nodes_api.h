#ifndef SKEIN_ROUTER_NODES_NODES_API_H
#define SKEIN_ROUTER_NODES_NODES_API_H

#include "base/text/str.h"

struct rpc_call;

/*
 * The unary calls with which a gateway registers, renews its registration and leaves. `arg` is the struct app. Thread: the
 * worker's.
 */
void nodes_api_register(struct rpc_call *call, struct str request, void *arg);
void nodes_api_renew(struct rpc_call *call, struct str request, void *arg);
void nodes_api_remove(struct rpc_call *call, struct str request, void *arg);

#endif
