#ifndef SKEIN_RPC_SERVER_RPC_SERVER_BUILTIN_H
#define SKEIN_RPC_SERVER_RPC_SERVER_BUILTIN_H

#include "rpc/server/rpc_server_state.h"

/* The methods that every server has: health and reflection. */
#define RPC_BUILTIN_MAX 2

/* Writes up to RPC_BUILTIN_MAX endpoints to `out`; returns their number. */
size_t rpc_builtin_endpoints(struct rpc_server *server, struct rpc_endpoint *out);

#endif
