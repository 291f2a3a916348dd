#ifndef SKEIN_IM_ENTRIES_ENTRY_WRITER_H
#define SKEIN_IM_ENTRIES_ENTRY_WRITER_H

#include <uv.h>

#include "im/entries/lane.h"

/*
 * Stores everything that gets a seq. An entry waits in the lane of its
 * conversation, is stored by the statement of its kind under this im's lease, and
 * is published. Entries that arrive while a statement is under way form the next
 * batch. No timer delays an entry: an idle lane starts at the end of the loop's
 * turn.
 *
 * The writer promises, for every kind:
 *   - one conversation's entries are stored and published in the order in which they were submitted;
 *   - an entry is stored once, also when the answer of its statement was lost: it is looked for by its id;
 *   - a stored entry is published, by this im or by the one that takes its node number over;
 *   - `done` is called once, at the latest at the deadline.
 *
 * The conversations of the system user have a lane of their own. A broadcast
 * fills large batches there, and the sends of users to each other do not wait for
 * them. A user's entry in that lane goes before the entries of a job.
 *
 * More lanes make smaller batches, and a batch costs as much as ten sends: on two
 * cores, four lanes store half as many a second as one. Thread: the worker's.
 */

#define ENTRY_WRITER_LANES_MAX 64

struct entry_writer {
	struct lane_context context;
	struct finisher finisher;
	struct publisher *publisher;
	unsigned max_waiting;
	struct str system_user;
	struct lane lanes[ENTRY_WRITER_LANES_MAX + 1]; /* the last one is the system user's */
	unsigned lane_count;
	struct list by_deadline; /* entries that are not answered, the first deadline first */
	struct timer deadline;
	uv_check_t end_of_turn; /* runs while entries have arrived in this turn */
	struct counter *refused_without_lease, *refused_by_queue, *refused_by_backlog;
};

struct entry_writer_options {
	unsigned lanes, batch_max, max_waiting;
	uint64_t timeout_ms;
	struct str system_user; /* outlives the writer */
	struct message_cache *messages; /* gets the stored messages */
};

/* `pg` has a connection for each lane and one for the system user's, and serves the writer only. */
void entry_writer_init(struct entry_writer *writer, struct worker *worker, struct pg *pg, struct lease_keeper *keeper,
                       struct publisher *publisher, const struct entry_writer_options *options);

/*
 * Takes the entry over; its `done` is called later, never from here. ERR_UNAVAILABLE when there is no lease, when too
 * many entries wait or wait for too long, or when too much waits for Kafka: then the entry is freed and `done` is not called.
 */
err_t entry_writer_submit(struct entry_writer *writer, struct entry *entry) MUST_CHECK;

/*
 * The longest of the lanes' waits (queue_wait.h) since the call before, in milliseconds: for admission, which calls it once
 * per interval.
 */
unsigned entry_writer_end_interval(struct entry_writer *writer, uint64_t now_ms);

/* The counter of requests that were refused before any statement; `reason` is the label. */
struct counter *entry_writer_refusal_counter(const char *reason);

/* Nothing waits or is under way. */
bool entry_writer_is_idle(const struct entry_writer *writer);

/* After pg_close() has ended all statements: refuses the entries that are left. The memory may go a turn later. */
void entry_writer_close(struct entry_writer *writer);

#endif
