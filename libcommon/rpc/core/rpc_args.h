#ifndef SKEIN_RPC_CORE_RPC_ARGS_H
#define SKEIN_RPC_CORE_RPC_ARGS_H

#include <grpc/grpc.h>
#include <stddef.h>

/* A list of gRPC's channel arguments, and the arguments that server and client must agree on. */

#define RPC_ARGS_MAX 24

struct rpc_args {
	grpc_channel_args args;
	grpc_arg items[RPC_ARGS_MAX];
};

/* A silent peer is pinged after the first time, and its connection is closed if the pong takes longer than the second. */
#define RPC_KEEPALIVE_MS 2000
#define RPC_KEEPALIVE_TIMEOUT_MS 1000

void rpc_args_int(struct rpc_args *args, const char *key, int value);

/* `key` and `value` live as long as `args`. */
void rpc_args_text(struct rpc_args *args, const char *key, const char *value);

/* Adds the arguments of both ends. `args` is zeroed before. */
void rpc_args_common(struct rpc_args *args, size_t max_message);

#endif
