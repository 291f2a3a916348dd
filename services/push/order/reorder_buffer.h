#ifndef SKEIN_PUSH_ORDER_REORDER_BUFFER_H
#define SKEIN_PUSH_ORDER_REORDER_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "push/inboxes/outgoing.h"

/*
 * The messages of one conversation that wait for their turn, by seq. A
 * conversation that is stuck (a hole and PostgreSQL away, members that cannot be
 * found out) must not take what all share: over REORDER_MAX messages or
 * REORDER_MAX_BYTES a message that comes is slimmed to its place in Kafka, and
 * read from PostgreSQL when its turn comes. So a partition is never stopped for
 * one conversation. Pure: no I/O.
 */

#define REORDER_MAX 1000u
#define REORDER_MAX_BYTES (4u << 20)

struct reorder_buffer {
	struct list messages;
	size_t whole, whole_bytes; /* of those that are not slim */
};

void reorder_buffer_init(struct reorder_buffer *pending);

/* The lowest, NULL if there is none. */
struct outgoing *reorder_buffer_first(const struct reorder_buffer *pending);

/* Takes a message that came with its place; it may be slim afterwards. */
void reorder_buffer_add(struct reorder_buffer *pending, struct outgoing *outgoing);

enum reorder_buffer_fill {
	FILL_NEW, /* taken */
	FILL_REFILLED, /* its content went into the slim one that was there: free what is left */
	FILL_USELESS, /* it is there: free it */
};

/* Takes one that was read from PostgreSQL. */
enum reorder_buffer_fill reorder_buffer_fill(struct reorder_buffer *pending, struct outgoing *outgoing);

void reorder_buffer_remove(struct reorder_buffer *pending, struct outgoing *outgoing);

#endif
