#ifndef SKEIN_RPC_CORE_RPC_ARGS_H
#define SKEIN_RPC_CORE_RPC_ARGS_H

#include <grpc/grpc.h>
#include <stddef.h>

/* Inside rpc/ only: gRPC's channel arguments, and those that both ends must agree on. */

#define RPC_ARGS_MAX 24

struct rpc_args {
	grpc_channel_args args;
	grpc_arg items[RPC_ARGS_MAX];
};

/* A peer that is silent that long is pinged; one that does not answer that long after is dead. */
#define RPC_KEEPALIVE_MS 2000
#define RPC_KEEPALIVE_TIMEOUT_MS 1000

void rpc_args_int(struct rpc_args *args, const char *key, int value);

/* `key` and `value` live as long as `args`. */
void rpc_args_text(struct rpc_args *args, const char *key, const char *value);

/* What either end sets. `args` is zeroed before. */
void rpc_args_common(struct rpc_args *args, size_t max_message);

#endif
