#ifndef SKEIN_PUSH_INBOXES_INBOX_WRITER_H
#define SKEIN_PUSH_INBOXES_INBOX_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "loop/worker.h"
#include "deliver/gateways.h"
#include "push/inboxes/inboxes.h"
#include "push/inboxes/outgoing.h"
#include "cluster/inbox.h"

/*
 * Writes a batch of messages of one conversation into the inboxes of their
 * recipients and finds their connections. Each recipient gets one call for the
 * whole batch, so no failure of Redis or its connection lets a later message
 * stand before an earlier one. A call that fails (Redis away, an answer lost) is
 * repeated until it succeeds: a recipient whose answer was lost may get the batch
 * twice, but always gets it.
 *
 * With many recipients the messages leave in slices: whenever INBOX_WRITER_SLICE
 * more recipients are known, they are sent to the connections of these, in the
 * order of the batch. The last slice is the caller's: outgoing_deliver().
 *
 * At most INBOX_WRITER_WINDOW calls of a writer are under way, and at most
 * APPEND_WINDOW_MAX of all writers together. Thread: the worker's.
 */

#define INBOX_WRITER_WINDOW 256
#define INBOX_WRITER_SLICE 128
#define INBOX_WRITER_MAX INBOX_APPEND_MAX

struct inbox_write {
	struct inbox_writer *writer;
	struct user_routes *known; /* while the call is under way: the routes as of the version that it compares */
	uint32_t recipient;
	bool has_failed;
};

struct inbox_writer {
	struct inboxes *inboxes;
	const struct list *batch;
	struct buf text; /* `entries` point into it */
	struct str *entries; /* of the batch's messages */
	size_t entry_count;
	struct inbox_write *writes; /* one for each recipient */
	size_t write_count, next; /* writes[next] is the first that was not issued */
	size_t under_way;
	size_t unsent; /* recipients that were written to since the last slice */
	struct append_turn turn; /* waits while the window of all writers is full */
	bool has_failed; /* a write failed: nothing new is issued until all have ended */
	struct timer retry;
	unsigned tries;
	void (*done)(struct inbox_writer *writer, void *arg);
	void *arg;
};

/*
 * The caller sets `inboxes`. Writes the 1 to INBOX_WRITER_MAX messages in `batch`, which have the same recipients. The list
 * stays as it is until `done`, which comes once: later, or from inside the call if there are no recipients.
 */
void inbox_writer_start(struct inbox_writer *writer, const struct list *batch,
                        void (*done)(struct inbox_writer *writer, void *arg), void *arg);

/* For the end of the process, once no call is under way. The writer need not have started. */
void inbox_writer_abort(struct inbox_writer *writer);

#endif
