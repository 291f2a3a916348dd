#include "rpc/core/rpc_args.h"

#include <assert.h>
#include <limits.h>

#include "base/macros.h"

static grpc_arg *rpc_args_add(struct rpc_args *args, grpc_arg_type type, const char *key)
{
	assert(args->args.num_args < RPC_ARGS_MAX);
	grpc_arg *item = &args->items[args->args.num_args++];

	args->args.args = args->items;
	item->type = type;
	item->key = (char *)key; /* gRPC copies it */
	return item;
}

void rpc_args_int(struct rpc_args *args, const char *key, int value)
{
	rpc_args_add(args, GRPC_ARG_INTEGER, key)->value.integer = value;
}

void rpc_args_text(struct rpc_args *args, const char *key, const char *value)
{
	rpc_args_add(args, GRPC_ARG_STRING, key)->value.string = (char *)value;
}

void rpc_args_common(struct rpc_args *args, size_t max_message)
{
	rpc_args_int(args, GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, (int)MIN(max_message, INT_MAX));
	rpc_args_int(args, GRPC_ARG_KEEPALIVE_TIME_MS, RPC_KEEPALIVE_MS);
	rpc_args_int(args, GRPC_ARG_KEEPALIVE_TIMEOUT_MS, RPC_KEEPALIVE_TIMEOUT_MS);
	rpc_args_int(args, GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
	rpc_args_int(args, GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0); /* keepalive pings are not limited */
	/*
	 * A fixed window instead of one that follows the measured delay: a merged stream is twice as fast, and a peer that
	 * does not read buffers 1 MiB instead of 4.
	 */
	rpc_args_int(args, GRPC_ARG_HTTP2_BDP_PROBE, 0);
	rpc_args_int(args, GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 1 << 20);
	/* A compressed message is refused: its unpacked size is unknown and would have to be bounded. */
	rpc_args_int(args, GRPC_COMPRESSION_CHANNEL_ENABLED_ALGORITHMS_BITSET, 1u << GRPC_COMPRESS_NONE);
	rpc_args_int(args, GRPC_ARG_ENABLE_PER_MESSAGE_COMPRESSION, 0);
	rpc_args_int(args, GRPC_ARG_ENABLE_CHANNELZ, 0); /* costs CPU, and nothing reads it */
}
