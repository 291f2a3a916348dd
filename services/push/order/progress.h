#ifndef SKEIN_PUSH_ORDER_PROGRESS_H
#define SKEIN_PUSH_ORDER_PROGRESS_H

#include <stdint.h>

#include "base/error.h"
#include "loop/worker.h"
#include "store/pg/pg.h"
#include "store/redis/redis.h"

/*
 * How far a conversation was dispatched, for the next owner of its partition.
 * Redis keeps it for a day (im:seq:{id}). It is written after the inboxes have the
 * messages, never before: a value that is too high would let a later message pass
 * an earlier one, a value that is too low only causes repeats.
 *
 * If Redis has no value, im:seq:since decides: the time since when this Redis
 * remembers, which every push looks after. A message stored after that time and
 * within the last day was not dispatched, since Redis would have a value. A message
 * stored before counts as dispatched, so that a flush of Redis does not send old
 * messages behind newer ones. PROGRESS_SLACK_MS before the time count as after it:
 * clocks differ, and a flush is seen up to PROGRESS_LOOK_MS late. The seq of a
 * record is not trusted: a seq behind the conversation's last one counts as the
 * one after it. Thread: the worker's.
 */

#define PROGRESS_LOOK_MS 2000
#define PROGRESS_SLACK_MS 5000

struct progress {
	struct worker *worker;
	struct redis *redis;
	struct pg *pg;
	struct timer look;
};

/* A question under way. The caller owns the memory until `done`. */
struct progress_query {
	const struct progress *progress;
	const char *conversation_id;
	uint64_t first_seq;
	void (*done)(void *arg, err_t err, uint64_t seq);
	void *arg;
};

void progress_start(struct progress *progress, struct worker *worker, struct redis *redis, struct pg *pg);

/* Stops looking after im:seq:since. Questions under way are still answered. */
void progress_stop(struct progress *progress);

/* The caller sets all fields of the query. `done` comes once, later. After any error the caller may ask again. */
void progress_load(struct progress_query *query);

void progress_save(const struct progress *progress, const char *conversation_id, uint64_t seq);

#endif
