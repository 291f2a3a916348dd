#ifndef SKEIN_PUSH_INBOXES_INBOX_WRITER_H
#define SKEIN_PUSH_INBOXES_INBOX_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "loop/worker.h"
#include "deliver/gateways.h"
#include "push/inboxes/outgoing.h"
#include "cluster/inbox.h"

/*
 * Writes a batch of messages of one conversation into the inboxes of their
 * recipients: one call a recipient for the whole batch, so that nothing that
 * becomes of Redis or its connection lets a later message stand before an
 * earlier one. What fails (Redis away, an answer lost) is tried again until it
 * is in: a recipient whose answer was lost may get the batch twice, never none.
 *
 * At most APPEND_WINDOW calls are under way. Thread: the worker's.
 */

#define APPEND_WINDOW 2000
#define APPEND_BATCH_MAX INBOX_APPEND_MAX

struct inbox_write {
	struct inbox_writer *run;
	uint32_t recipient;
	bool has_failed;
};

struct inbox_writer {
	struct worker *worker;
	struct redis *redis;
	struct gateways *gateways;
	const struct inbox_limits *limits;
	const struct list *batch;
	struct buf text; /* what `entries` point into */
	struct str *entries; /* of the batch's messages */
	size_t entry_count;
	struct inbox_write *jobs;
	size_t job_count, next; /* jobs[next] is the first that was not issued */
	size_t under_way;
	bool has_failed; /* some job has: nothing new is issued until all have ended */
	struct timer retry;
	unsigned tries;
	void (*done)(struct inbox_writer *run, void *arg);
	void *arg;
};

/*
 * The one to APPEND_BATCH_MAX messages in `batch`, which stays as it is until `done`, have the same recipients, set. `done`
 * comes once, later or from inside the call (nobody to write to).
 */
void inbox_writer_start(struct inbox_writer *run, const struct list *batch, void (*done)(struct inbox_writer *run, void *arg),
                        void *arg);

/* Gives up: for the end of the process, once nothing is under way. Fine on a run that never started. */
void inbox_writer_abort(struct inbox_writer *run);

#endif
