#ifndef SKEIN_PUSH_INBOXES_BATCH_H
#define SKEIN_PUSH_INBOXES_BATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/telemetry/metrics.h"
#include "base/text/ident.h"
#include "push/inboxes/inbox_writer.h"
#include "push/inboxes/outgoing.h"

struct member_cache;

/*
 * Consecutive messages of one conversation that have the same recipients: the
 * recipients are looked up once, and each inbox is written by one call for all
 * messages. The messages of a batch in a group have one member_version, so a
 * change of the membership begins a new batch.
 *
 * The owner fills `messages` while no batch is under way, calls batch_start(),
 * and takes the messages out when it has ended. Thread: the worker's.
 */

#define BATCH_MAX INBOX_WRITER_MAX

/* Shared by all batches of a process. */
struct batch_context {
	struct inboxes inboxes;
	struct member_cache *members;
	struct histogram *order_time; /* of messages, before their batch */
	struct histogram *append_time; /* of batches */
};

enum batch_end {
	BATCH_WRITTEN, /* every inbox has every message, and each message knows its connections */
	BATCH_FOR_NOBODY, /* the group does not exist, or had no members */
	BATCH_UNRESOLVED, /* the recipients could not be looked up: start again later */
};

struct batch {
	struct list messages;
	struct batch_context *context;
	struct recipients *recipients;
	struct inbox_writer writer;
	uint64_t started_us;
	void (*ended)(void *arg, enum batch_end end);
	void *arg;
};

void batch_init(struct batch *batch);

/* For the end of the process, when nothing is under way any more. `messages` must be empty. */
void batch_release(struct batch *batch);

/* May the message follow those that are in the batch? It is not slim. */
bool batch_fits(const struct batch *batch, const struct outgoing *next);

/* At least one message. `ended` comes once, maybe from inside this call. */
void batch_start(struct batch *batch, struct batch_context *context, const struct conversation *conversation,
                 void (*ended)(void *arg, enum batch_end end), void *arg);

#endif
