#ifndef SKEIN_PUSH_ORDER_PROGRESS_H
#define SKEIN_PUSH_ORDER_PROGRESS_H

#include <stdint.h>

#include "base/error.h"
#include "loop/worker.h"
#include "store/pg/pg.h"
#include "store/redis/redis.h"

/*
 * How far a conversation was dispatched, for whoever owns its partition next.
 * It stands in Redis (im:seq:{id}) for a day, written once the inboxes have the
 * messages, never before: a value that no inbox bears out would let a later
 * message pass an earlier one; one that is too low only causes repeats.
 *
 * Where it does not stand, it matters since when Redis remembers: im:seq:since,
 * which every push looks after. What was stored after that moment, and within
 * the day, was not dispatched, or Redis would know. What was stored before it was:
 * it is taken for dispatched, so that a flush does not send old messages behind
 * newer ones. PROGRESS_SLACK_MS before that moment count as after it, since clocks
 * differ, and a flush is seen PROGRESS_LOOK_MS late. What came is not trusted: a
 * seq behind the conversation's last counts as the one after it. Thread: the
 * worker's.
 */

#define PROGRESS_LOOK_MS 2000
#define PROGRESS_SLACK_MS 5000

struct progress {
	struct worker *worker;
	struct redis *redis;
	struct pg *pg;
	struct timer look;
};

/* A question under way; embed it where it lives until it is answered. */
struct progress_query {
	const struct progress *progress;
	const char *conversation_id;
	uint64_t first_seq;
	void (*done)(void *arg, err_t err, uint64_t seq);
	void *arg;
};

void progress_start(struct progress *progress, struct worker *worker, struct redis *redis, struct pg *pg);

/* No more looking; questions under way are answered. */
void progress_stop(struct progress *progress);

/* All fields of the query are set. `done` comes once, later: any error is passing, ask again. */
void progress_load(struct progress_query *query);

void progress_save(const struct progress *progress, const char *conversation_id, uint64_t seq);

#endif
