#include "rpc/core/merge_queue.h"

#include <assert.h>
#include <grpc/slice.h>

#include "base/macros.h"
#include "base/mem.h"
#include "rpc/core/rpc_message.h"

struct merge_chunk {
	struct merge_chunk *next;
	grpc_slice slice; /* of `cap` bytes until it is taken */
	size_t len, cap;
};

void merge_queue_init(struct merge_queue *queue)
{
	queue->first = NULL;
	queue->tail = &queue->first;
	queue->bytes = 0;
}

/* Takes the first chunk out; its slice is the caller's. */
static grpc_slice merge_queue_pop_chunk(struct merge_queue *queue)
{
	struct merge_chunk *chunk = queue->first;
	grpc_slice slice = chunk->slice;

	GRPC_SLICE_SET_LENGTH(slice, chunk->len);
	queue->bytes -= chunk->len;
	queue->first = chunk->next;
	if (!queue->first)
		queue->tail = &queue->first;
	mem_free(chunk);
	return slice;
}

void merge_queue_clear(struct merge_queue *queue)
{
	while (!merge_queue_is_empty(queue))
		grpc_slice_unref(merge_queue_pop_chunk(queue));
}

void merge_queue_append(struct merge_queue *queue, struct str message, bool expects_more)
{
	struct merge_chunk *chunk = queue->first ? container_of(queue->tail, struct merge_chunk, next) : NULL;

	if (!chunk || chunk->cap - chunk->len < message.len) {
		size_t cap = expects_more && message.len < MERGE_CHUNK ? MERGE_CHUNK : message.len;

		chunk = mem_alloc(sizeof(*chunk));
		*chunk = (struct merge_chunk){ .slice = grpc_slice_malloc(cap), .cap = cap };
		assert(queue->tail);
		*queue->tail = chunk;
		queue->tail = &chunk->next;
	}
	if (message.len > 0)
		memcpy(GRPC_SLICE_START_PTR(chunk->slice) + chunk->len, message.ptr, message.len);
	chunk->len += message.len;
	queue->bytes += message.len;
}

grpc_byte_buffer *merge_queue_take(struct merge_queue *queue)
{
	grpc_slice slices[2 * MERGE_MAX / MERGE_CHUNK + 1];
	size_t count = 0, bytes = 0;

	assert(!merge_queue_is_empty(queue));
	do {
		bytes += queue->first->len;
		slices[count++] = merge_queue_pop_chunk(queue);
	} while (queue->first && bytes + queue->first->len <= MERGE_MAX && count < ARRAY_LEN(slices));

	grpc_byte_buffer *write = grpc_raw_byte_buffer_create(slices, count);
	for (size_t i = 0; i < count; i++)
		grpc_slice_unref(slices[i]);
	return write;
}
