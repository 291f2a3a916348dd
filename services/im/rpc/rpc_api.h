#ifndef SKEIN_IM_RPC_RPC_API_H
#define SKEIN_IM_RPC_RPC_API_H

#include "rpc/server/rpc_server.h"

/* The methods of proto/im.proto: what gateways ask. `arg` is the struct app. */

void rpc_api_send(struct rpc_call *call, struct str request, void *arg);
void rpc_api_admit(struct rpc_call *call, struct str request, void *arg);
void rpc_api_sync(struct rpc_call *call, struct str request, void *arg);
void rpc_api_delivered(struct rpc_call *call, struct str request, void *arg);

#endif
