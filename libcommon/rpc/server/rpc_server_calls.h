#ifndef SKEIN_RPC_SERVER_RPC_SERVER_CALLS_H
#define SKEIN_RPC_SERVER_RPC_SERVER_CALLS_H

#include "rpc/server/rpc_server_state.h"

/*
 * Unary calls, from the request to the reply. Both functions take over `call`
 * and one hold on the server. Thread: the queue's.
 */

/* Takes over `metadata` and `request`, too. */
void rpc_call_begin(const struct rpc_endpoint *endpoint, grpc_call *call, grpc_metadata_array metadata,
                    grpc_byte_buffer *request);

/* Answers a call with an error before any handler sees it; it may have been meant as a stream. */
void rpc_call_refuse(struct rpc_server *server, grpc_call *call, err_t err, const char *detail);

#endif
