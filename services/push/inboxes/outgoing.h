#ifndef SKEIN_PUSH_INBOXES_OUTGOING_H
#define SKEIN_PUSH_INBOXES_OUTGOING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text/buf.h"
#include "base/list.h"
#include "proto/record.pb-c.h"
#include "deliver/target_list.h"
#include "push/recipients/recipients.h"

struct inboxes;
struct user_routes;

/*
 * One message on its way out: from its Kafka record (or its row in PostgreSQL)
 * to the answers of all gateways. Its owner moves it: timeline.c orders it,
 * inbox_writer.c writes the inboxes, adds the connections it finds, and sends to
 * them in slices when they are many, and outgoing_deliver() sends to the rest.
 * Thread: the worker's.
 */
struct outgoing {
	struct list link; /* in its conversation */
	uint64_t seq, time, member_version;
	uint64_t taken_us; /* when this struct was made */
	size_t bytes; /* its memory, estimated, with the connections that were found */
	Skein__V1__MessageRecord *record; /* NULL while it is slim */
	struct inboxes *inboxes; /* once connections were found; the routes of those that are gone are removed */
	/* The place of its record in Kafka. A message read from PostgreSQL has none until its record comes. */
	bool has_place;
	int32_t partition;
	int64_t offset;
	struct recipients *recipients;
	struct target_list targets; /* connections to deliver to */
	struct buf devices; /* their names, terminated; targets.items[].device_at points into it */
	size_t sent; /* of the targets; the first so many */
	unsigned awaited; /* deliveries that gateways have not answered, and 1 until outgoing_deliver() has sent the last one */
	unsigned noted; /* of these, gateways that are behind; they get the numbers only */
	bool is_slim; /* only its seq and place are left */
	const struct outgoing_handlers *handlers;
	void *arg;
};

struct outgoing_handlers {
	/* Every gateway has answered or is dead. Once. */
	void (*delivered)(struct outgoing *outgoing, void *arg);
	/* Only gateways that are behind have not answered, so the message is slim now. At most once, before `delivered`. */
	void (*slimmed)(struct outgoing *outgoing, void *arg);
};

/* Takes the record over. */
struct outgoing *outgoing_new(Skein__V1__MessageRecord *record);
void outgoing_free(struct outgoing *outgoing);

/* Frees the content: only the seq and the place stay. */
void outgoing_slim(struct outgoing *outgoing);

/* Takes the content from another copy of the message, which is slim afterwards. */
void outgoing_take_content(struct outgoing *outgoing, struct outgoing *same);

/* The number of a message in an inbox. */
struct inbox_place {
	uint64_t epoch, offset;
};

/* Remembers the connections of one recipient, whose inbox has the message at `place`. Returns by how much `bytes` grew. */
size_t outgoing_add_routes(struct outgoing *outgoing, struct inboxes *inboxes, uint32_t recipient,
                           const struct user_routes *routes, const struct inbox_place *place);

/* Sends it to the connections that were found since the last time. */
void outgoing_send(struct outgoing *outgoing);

/* Sends it to the last connections: no more will be found. Once. Handlers may be called from inside this call. */
void outgoing_deliver(struct outgoing *outgoing, const struct outgoing_handlers *handlers, void *arg);

#endif
