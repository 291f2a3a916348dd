#ifndef SKEIN_RPC_CORE_MERGE_QUEUE_H
#define SKEIN_RPC_CORE_MERGE_QUEUE_H

#include <grpc/byte_buffer.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/text/str.h"

/*
 * Inside rpc/ only: what waits on a stream for the write under way to end.
 * Messages are copied one behind the other into chunks that gRPC then sends as
 * they are, so a message costs one copy however it is merged, and a write one
 * allocation for each MERGE_CHUNK bytes. A message never lies in two chunks: a
 * write is cut between messages, and each write is a message by itself.
 * Thread: any, one at a time.
 */

/*
 * The most that is merged into one write. Larger ones are no faster, and a
 * receiver with the least limit allowed (rpc_server_options.max_message) must
 * take it.
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

/* Drops what waits. */
void merge_queue_clear(struct merge_queue *queue);

static inline bool merge_queue_is_empty(const struct merge_queue *queue)
{
	return !queue->first;
}

/* `expects_more`: others will be merged with it; otherwise no room is left for them. */
void merge_queue_append(struct merge_queue *queue, struct str message, bool expects_more);

/* The next write: at most MERGE_MAX bytes, or a single larger message. The queue is not empty. */
grpc_byte_buffer *merge_queue_take(struct merge_queue *queue);

#endif
