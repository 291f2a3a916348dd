#ifndef SKEIN_PUSH_ORDER_PENDING_H
#define SKEIN_PUSH_ORDER_PENDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "push/inboxes/outgoing.h"

/*
 * The messages of one conversation that wait for their turn, by seq. A
 * conversation that is stuck (a hole and PostgreSQL away, members that cannot be
 * found out) must not take what all share: over PENDING_MAX messages or
 * PENDING_MAX_BYTES a message that comes is slimmed to its place in Kafka, and
 * read from PostgreSQL when its turn comes. So a partition is never stopped for
 * one conversation. Pure: no I/O.
 */

#define PENDING_MAX 1000u
#define PENDING_MAX_BYTES (4u << 20)

struct pending {
	struct list messages;
	size_t whole, whole_bytes; /* of those that are not slim */
};

void pending_init(struct pending *pending);

/* The lowest, NULL if there is none. */
struct outgoing *pending_first(const struct pending *pending);

/* Takes a message that came with its place; it may be slim afterwards. */
void pending_add(struct pending *pending, struct outgoing *outgoing);

enum pending_fill {
	FILL_NEW, /* taken */
	FILL_REFILLED, /* its content went into the slim one that was there: free what is left */
	FILL_USELESS, /* it is there: free it */
};

/* Takes one that was read from PostgreSQL. */
enum pending_fill pending_fill(struct pending *pending, struct outgoing *outgoing);

void pending_remove(struct pending *pending, struct outgoing *outgoing);

#endif
