#ifndef SKEIN_IM_ENTRIES_ENTRY_WRITER_H
#define SKEIN_IM_ENTRIES_ENTRY_WRITER_H

#include <uv.h>

#include "im/entries/batch_queue.h"
#include "im/lease/lease_keeper.h"
#include "im/stored/message_cache.h"
#include "im/entries/publisher.h"
#include "im/entries/queue_wait.h"
#include "store/pg/pg.h"

/*
 * Sends on their way into the database, many by one statement (fn.im_send() in
 * deploy/schema). Conversations are spread over lanes, each on a connection of
 * its own; a lane has one batch under way, and what arrives meanwhile is the next
 * one. More lanes make smaller batches, and a batch costs as much as ten sends: on
 * two cores, four lanes store half as many a second as one. No timer holds
 * anything back: a lane that is idle starts at the end of the loop's turn.
 *
 * A send ends in one call of its `done`, at the latest at its deadline. One whose
 * batch was lost with the connection is simply stored again under the same id
 * and key, until an answer tells what became of it: the key makes that safe, the
 * id tells our own first try from somebody else's. This goes on after its caller
 * was told 503, because a stored message must also be published. Thread: the
 * worker's.
 */

#define BATCHER_LANES_MAX 64

struct lane {
	struct batcher *batcher;
	unsigned index;
	struct batch_queue queue;
	struct queue_wait wait;
	struct batch batch; /* under way, or empty */
	uint64_t started_us;
	struct timer retry; /* armed while the lane waits after a batch that failed */
};

struct batcher {
	struct worker *worker;
	struct pg *pg;
	struct lease_keeper *keeper;
	struct publisher *publisher;
	struct message_cache *messages;
	unsigned batch_max, max_waiting;
	uint64_t timeout_ms;
	struct lane lanes[BATCHER_LANES_MAX];
	unsigned lane_count;
	unsigned count; /* sends not ended */
	struct list by_deadline; /* those not answered, the first deadline first */
	struct timer deadline;
	uv_check_t end_of_turn; /* runs while sends have arrived in this turn */
	struct counter *batches, *stored, *duplicates, *refused;
	struct counter *refused_without_lease, *refused_by_queue, *refused_by_backlog; /* at the door */
	struct histogram *durations;
};

struct batcher_options {
	unsigned lanes, batch_max, max_waiting;
	uint64_t timeout_ms;
	struct message_cache *messages; /* what was stored goes in there: it is likely to be read soon */
};

void batcher_init(struct batcher *batcher, struct worker *worker, struct pg *pg, struct lease_keeper *keeper,
                  struct publisher *publisher, const struct batcher_options *options);

/*
 * Takes the send over; its `done` is called later, never from here. ERR_UNAVAILABLE when there is no lease or too much
 * waits, in number or in time, here or for Kafka: then the send is freed and `done` is not called.
 */
err_t batcher_send(struct batcher *batcher, struct send *send) MUST_CHECK;

/*
 * The longest of the lanes' waits (queue_wait.h) since the call before, in milliseconds: for admission, which calls it once
 * per interval.
 */
unsigned batcher_end_interval(struct batcher *batcher, uint64_t now_ms);

/* Counts sends that were refused before anything was asked; `reason` is the label. */
struct counter *batcher_refusal_counter(const char *reason);

/* Nothing waits or is under way. */
bool batcher_is_idle(const struct batcher *batcher);

/* Drops what is left, telling who still waits; after pg_close() has ended all batches. The memory may go a turn later. */
void batcher_close(struct batcher *batcher);

#endif
