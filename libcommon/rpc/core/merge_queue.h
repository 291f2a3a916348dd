#ifndef SKEIN_RPC_CORE_MERGE_QUEUE_H
#define SKEIN_RPC_CORE_MERGE_QUEUE_H

#include <grpc/byte_buffer.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/text/str.h"

/*
 * The messages of a stream that wait for the write under way. They are copied
 * one behind the other into chunks, which gRPC sends without another copy: a
 * message costs one copy, a write one allocation for each MERGE_CHUNK bytes. A
 * message is never split between chunks, so a write ends between two messages
 * and is a valid message itself. Only stream_core.c uses it.
 * Thread: any, one at a time.
 */

/*
 * Bytes that are merged into one write at most. Larger writes are not faster, and every receiver must accept them: it is the
 * least max_message of a server with streams.
 */
#define MERGE_MAX (256 * 1024)

#define MERGE_CHUNK (16 * 1024)

struct merge_chunk;

struct merge_queue {
	struct merge_chunk *first;
	struct merge_chunk **tail;
	size_t bytes;
};

void merge_queue_init(struct merge_queue *queue);

/* Drops all messages. */
void merge_queue_clear(struct merge_queue *queue);

static inline bool merge_queue_is_empty(const struct merge_queue *queue)
{
	return !queue->first;
}

/* `expects_more`: leaves room in the chunk, because further messages are likely before the next write. */
void merge_queue_append(struct merge_queue *queue, struct str message, bool expects_more);

/* The next write: at most MERGE_MAX bytes, or one larger message. The queue must not be empty. */
grpc_byte_buffer *merge_queue_take(struct merge_queue *queue);

#endif
