#include "rpc/core/rpc_message.h"

#include <grpc/byte_buffer_reader.h>

grpc_slice rpc_slice_copy(struct str bytes)
{
	return grpc_slice_from_copied_buffer(bytes.ptr, bytes.len);
}

grpc_byte_buffer *rpc_message_new(struct str bytes)
{
	grpc_slice slice = rpc_slice_copy(bytes);
	grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(&slice, 1);

	grpc_slice_unref(slice);
	return buffer;
}

struct str rpc_metadata_find(const grpc_metadata_array *metadata, const char *key)
{
	for (size_t i = 0; i < metadata->count; i++)
		if (str_equal(rpc_slice_str(&metadata->metadata[i].key), str_from(key)))
			return rpc_slice_str(&metadata->metadata[i].value);
	return (struct str){ 0 };
}

void rpc_message_open(struct rpc_message *message, grpc_byte_buffer *buffer)
{
	const grpc_slice_buffer *slices = &buffer->data.raw.slice_buffer;

	message->joined = grpc_empty_slice();
	if (slices->count == 1) {
		message->bytes = rpc_slice_str(&slices->slices[0]);
		return;
	}
	grpc_byte_buffer_reader reader;
	if (grpc_byte_buffer_reader_init(&reader, buffer)) {
		message->joined = grpc_byte_buffer_reader_readall(&reader);
		grpc_byte_buffer_reader_destroy(&reader);
	}
	message->bytes = rpc_slice_str(&message->joined);
}

void rpc_message_close(struct rpc_message *message)
{
	grpc_slice_unref(message->joined);
}
