#ifndef SKEIN_RPC_SERVER_RPC_SERVER_STREAMS_H
#define SKEIN_RPC_SERVER_RPC_SERVER_STREAMS_H

#include "rpc/server/rpc_server_state.h"

/* A server's streams, from the call to `closed`. */

/* Takes over `call` and one hold on the server. Thread: the queue's. */
void rpc_server_stream_begin(const struct rpc_endpoint *endpoint, grpc_call *call);

/* Ends all streams, and those that clients open from now on, with ERR_UNAVAILABLE. Thread: any. */
void rpc_server_streams_finish(struct rpc_server *server);

#endif
