#ifndef SKEIN_PUSH_APPEND_RUN_H
#define SKEIN_PUSH_APPEND_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "loop/worker.h"
#include "push/gateways.h"
#include "push/outgoing.h"
#include "store/inbox.h"

/*
 * Writes a batch of messages of one conversation into the inboxes of their
 * recipients, message by message in the order of the list, each recipient once.
 * What fails (Redis away, an answer lost) is tried again, in the same order,
 * until it is in: a recipient whose answer was lost may get an entry twice,
 * never none, and never a later message before an earlier one, since nothing
 * new is issued before all that is under way has ended.
 *
 * At most APPEND_WINDOW appends are under way. Thread: the worker's.
 */

#define APPEND_WINDOW 2000

struct append_job {
	struct append_run *run;
	struct outgoing *outgoing;
	uint32_t recipient;
	bool has_failed;
};

struct append_run {
	struct worker *worker;
	struct redis *redis;
	struct gateways *gateways;
	const struct inbox_limits *limits;
	struct append_job *jobs;
	size_t job_count, next; /* jobs[next] is the first that was not issued */
	size_t under_way;
	bool has_failed; /* some job has: nothing new is issued until all have ended */
	struct timer retry;
	unsigned tries;
	void (*done)(struct append_run *run, void *arg);
	void *arg;
};

/* Messages in `batch` have their recipients set. `done` comes once, later or from inside the call (nobody to write to). */
void append_run_start(struct append_run *run, const struct list *batch, void (*done)(struct append_run *run, void *arg),
                      void *arg);

/* Gives up: for the end of the process, once nothing is under way. Fine on a run that never started. */
void append_run_abort(struct append_run *run);

#endif
