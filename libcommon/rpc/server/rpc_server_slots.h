#ifndef SKEIN_RPC_SERVER_RPC_SERVER_SLOTS_H
#define SKEIN_RPC_SERVER_RPC_SERVER_SLOTS_H

#include "rpc/server/rpc_server_state.h"

/*
 * Posts requests to gRPC for each endpoint and for unknown methods. A request
 * that a call has taken is posted again. They end with the server.
 */
void rpc_slots_post(struct rpc_server *server);

#endif
