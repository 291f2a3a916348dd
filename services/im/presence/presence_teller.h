#ifndef SKEIN_IM_PRESENCE_PRESENCE_TELLER_H
#define SKEIN_IM_PRESENCE_PRESENCE_TELLER_H

#include <stdbool.h>

#include "base/telemetry/metrics.h"
#include "loop/worker.h"

/*
 * Tells who came and who went: claims the users who are due (cluster/presence.h), one batch at a time, and takes each through
 * the steps of transition_batch.h. Any number of ims share the work. With nobody due it asks Redis every PRESENCE_POLL_MS.
 *
 * While PostgreSQL or Redis is away nothing is decided; the users stay due. Thread: the worker's.
 */

#define PRESENCE_POLL_MS 100

struct events;
struct node_list;
struct pg;
struct redis;
struct transition_batch;

struct presence_teller_options {
	struct redis *redis;
	struct pg *pg;
	struct node_list *gateways;
	struct events *events;
	uint64_t offline_delay_ms; /* a reconnect within it is no news */
	uint64_t last_seen_s; /* how long the time of a user's last connection is kept */
};

struct presence_teller {
	struct worker *worker;
	struct presence_teller_options options;
	struct timer poll;
	struct transition_batch *batch; /* NULL: no claim is under way */
	bool is_stopped;
	struct counter *came, *went, *undecided;
};

void presence_teller_start(struct presence_teller *teller, struct worker *worker, const struct presence_teller_options *options);

/* Before its clients are closed: starts nothing any more. */
void presence_teller_stop(struct presence_teller *teller);

/* After Redis and PostgreSQL were closed. */
void presence_teller_release(struct presence_teller *teller);

#endif
