#ifndef SKEIN_IM_PRESENCE_PRESENCE_TELLER_H
#define SKEIN_IM_PRESENCE_PRESENCE_TELLER_H

#include "im/presence/transition_batch.h"
#include "loop/worker.h"

/*
 * Tells who came and who went: claims the users who are due (cluster/presence.h), one batch at a time, and takes each through
 * the steps of transition_batch.h. Any number of ims share the work. With nobody due it asks Redis every PRESENCE_POLL_MS.
 *
 * While PostgreSQL or Redis is away nothing is decided; the users stay due. Thread: the worker's.
 */

#define PRESENCE_POLL_MS 100

struct presence_teller {
	struct worker *worker;
	struct transition_context context;
	uint64_t offline_delay_ms;
	struct timer poll;
	struct transition_batch *batch; /* NULL: no claim is under way */
};

/* `context` without its counters. A reconnect within the delay is no news. */
void presence_teller_start(struct presence_teller *teller, struct worker *worker, const struct transition_context *context,
                           uint64_t offline_delay_ms);

/* Before its clients are closed: starts nothing any more. */
void presence_teller_stop(struct presence_teller *teller);

/* After Redis and PostgreSQL were closed. */
void presence_teller_release(struct presence_teller *teller);

#endif
