#ifndef SKEIN_RPC_CORE_RPC_MESSAGE_H
#define SKEIN_RPC_CORE_RPC_MESSAGE_H

#include <grpc/byte_buffer.h>
#include <grpc/grpc.h>

#include "base/text/str.h"

/* Conversions between gRPC's slices and buffers and `struct str`. */

static inline struct str rpc_slice_str(const grpc_slice *slice)
{
	return str_of(GRPC_SLICE_START_PTR(*slice), GRPC_SLICE_LENGTH(*slice));
}

/* A copy. */
grpc_slice rpc_slice_copy(struct str bytes);

/* A copy, as a message to send. */
grpc_byte_buffer *rpc_message_new(struct str bytes);

/* The value of the first item of that key; empty without one. Belongs to the call. */
struct str rpc_metadata_find(const grpc_metadata_array *metadata, const char *key);

/* A received message in one piece. It is copied only if gRPC received it in several slices. */
struct rpc_message {
	grpc_slice joined;
	struct str bytes;
};

/* `buffer` stays the caller's and must outlive the message. */
void rpc_message_open(struct rpc_message *message, grpc_byte_buffer *buffer);
void rpc_message_close(struct rpc_message *message);

#endif
