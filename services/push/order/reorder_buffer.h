#ifndef SKEIN_PUSH_ORDER_REORDER_BUFFER_H
#define SKEIN_PUSH_ORDER_REORDER_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "push/inboxes/outgoing.h"

/*
 * The messages of one conversation that wait for their turn, by seq. A
 * conversation that is stuck (a gap while PostgreSQL is away, members that cannot
 * be looked up) must not use up the memory that all conversations share. So over
 * REORDER_MAX messages or REORDER_MAX_BYTES a new message is slimmed to its place
 * in Kafka, and read from PostgreSQL when its turn comes. No partition is stopped
 * for one conversation. Pure: no I/O.
 */

#define REORDER_MAX 1000u
#define REORDER_MAX_BYTES (4u << 20)

struct reorder_buffer {
	struct list messages;
	size_t whole, whole_bytes; /* of those that are not slim */
};

void reorder_buffer_init(struct reorder_buffer *pending);

/* The message with the lowest seq; NULL: there is none. */
struct outgoing *reorder_buffer_first(const struct reorder_buffer *pending);

/* Takes a message that came from Kafka. It may be slim afterwards. */
void reorder_buffer_add(struct reorder_buffer *pending, struct outgoing *outgoing);

enum reorder_buffer_fill {
	FILL_NEW, /* the message was missing, and is now in the buffer */
	FILL_REFILLED, /* its content went into the slim message in the buffer: free this one */
	FILL_USELESS, /* the buffer had the message already: free this one */
};

/* Takes a message that was read from PostgreSQL. */
enum reorder_buffer_fill reorder_buffer_fill(struct reorder_buffer *pending, struct outgoing *outgoing);

void reorder_buffer_remove(struct reorder_buffer *pending, struct outgoing *outgoing);

#endif
