#ifndef SKEIN_PUSH_INBOXES_OUTGOING_H
#define SKEIN_PUSH_INBOXES_OUTGOING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text/buf.h"
#include "base/list.h"
#include "proto/record.pb-c.h"
#include "deliver/target_list.h"
#include "push/recipients/recipients.h"
#include "cluster/inbox.h"

/*
 * One message on its way out: from its Kafka record (or its row in PostgreSQL)
 * to the answers of all gateways. Its owner moves it: timeline.c orders it,
 * inbox_writer.c writes the inboxes and adds the connections it finds, and
 * outgoing_deliver() plans and sends. Thread: the worker's.
 */
struct outgoing {
	struct list link; /* in its conversation */
	uint64_t seq, time, member_version;
	uint64_t taken_us; /* when this struct was made */
	size_t bytes; /* its memory, estimated */
	Skein__V1__MessageRecord *record; /* NULL while it is slim */
	struct redis *redis;
	/* The place of its record in Kafka. A message read from PostgreSQL has none until its record comes. */
	bool has_place;
	int32_t partition;
	int64_t offset;
	struct recipients *recipients;
	struct target_list targets; /* connections to deliver to */
	struct buf devices; /* their names, terminated; targets.items[].device_at points into it */
	/* While it is being delivered. */
	unsigned awaited; /* gateways that have not answered */
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

/* Takes the record over. `redis` holds the routes; those of connections that are gone are removed from it. */
struct outgoing *outgoing_new(Skein__V1__MessageRecord *record, struct redis *redis);
void outgoing_free(struct outgoing *outgoing);

/* Frees the content: only the seq and the place stay. */
void outgoing_slim(struct outgoing *outgoing);

/* Takes the content from another copy of the message, which is slim afterwards. */
void outgoing_take_content(struct outgoing *outgoing, struct outgoing *same);

/* Forgets the connections found so far, before the inboxes are written again. */
void outgoing_clear_targets(struct outgoing *outgoing);

/* Remembers the connections that the append to one recipient's inbox answered, each with its number. */
void outgoing_add_routes(struct outgoing *outgoing, struct gateways *gateways, uint32_t recipient,
                         const struct inbox_appended *appended);

/* Sends it to every connection that was found. Handlers may be called from inside this call. */
void outgoing_deliver(struct outgoing *outgoing, const struct outgoing_handlers *handlers, void *arg);

#endif
