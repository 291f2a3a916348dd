#ifndef SKEIN_PUSH_PROGRESS_H
#define SKEIN_PUSH_PROGRESS_H

#include <stdint.h>

#include "base/error.h"
#include "store/pg.h"
#include "store/redis.h"

/*
 * How far a conversation was dispatched, for whoever owns its partition next.
 * It stands in Redis (im:seq:{id}), written once the inboxes have the messages,
 * never before: a value that no inbox bears out would let a later message pass
 * an earlier one; one that is too low only causes repeats.
 *
 * Where Redis does not know, PostgreSQL tells what may still be on its way: of
 * the PROGRESS_DOUBT_MAX messages before the oldest that came, those stored
 * less than ten minutes before it. They count as not dispatched. What came is not
 * trusted: a seq behind the conversation's last counts as the one after it.
 * Thread: the worker's.
 */

#define PROGRESS_DOUBT_MAX 200

/* $1 conversation, $2 the seq of the oldest that came, $3 its time: the last seq that is not in doubt. */
#define PROGRESS_SQL                                                                                       \
	"select greatest(0, came - 201, (select max(seq) from message where conversation_id = $1 and "      \
	"seq < came and seq >= came - 200 and time < $3::bigint - 600000)) from (select least($2::bigint, " \
	"1 + coalesce((select max(seq) from message where conversation_id = $1), 0)) as came) as oldest"

struct progress {
	struct redis *redis;
	struct pg *pg;
	unsigned statement; /* PROGRESS_SQL among the pool's */
};

/* A question under way; embed it where it lives until it is answered. */
struct progress_query {
	const struct progress *progress;
	const char *conversation_id;
	uint64_t first_seq, first_time;
	void (*done)(void *arg, err_t err, uint64_t seq);
	void *arg;
};

/* All fields of the query are set. `done` comes once, later: any error is passing, ask again. */
void progress_load(struct progress_query *query);

void progress_save(const struct progress *progress, const char *conversation_id, uint64_t seq);

#endif
