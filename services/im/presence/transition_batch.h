#ifndef SKEIN_IM_PRESENCE_TRANSITION_BATCH_H
#define SKEIN_IM_PRESENCE_TRANSITION_BATCH_H

#include <stddef.h>

#include "base/telemetry/metrics.h"
#include "cluster/presence.h"

/*
 * The users of one claim, together in each step:
 *
 *   1. their keys and routes are read; the list of gateways as well, if a route names one that is not in it
 *   2. if any of them seems to have come or gone: their friends and who may know of it, in one statement
 *   3. each user's key is set, if the routes are still the same, and the sets of homes follow
 *   4. those for whom that was news are told: the friends who have a route, PRESENCE_LOOKUPS_MAX look-ups at a time, and who
 *      watches them
 *   5. the claims end
 *
 * Where a step fails, or a claim does not hold its user any more, the users are due again when the lease is over. Thread: the
 * worker's.
 */

#define PRESENCE_LOOKUPS_MAX 500u /* bounds the records that push gets at once */

struct events;
struct node_list;
struct pg;
struct transition_batch;

/* What all batches of a process share; the owner is presence_teller.c. */
struct transition_context {
	struct redis *redis;
	struct pg *pg;
	struct node_list *gateways;
	struct events *events;
	uint64_t last_seen_s; /* how long the time of a user's last connection is kept */
	bool is_stopped; /* nothing is started any more */
	struct counter *came, *went, *undecided;
};

/* Copies the claims. `ended` is called once, unless the batch is freed before: it has freed itself. */
struct transition_batch *transition_batch_new(struct transition_context *context, const struct presence_claim *claims, size_t count,
                                              void (*ended)(void *arg, bool was_full), void *arg);
void transition_batch_start(struct transition_batch *batch);

/* Nothing calls it back any more. */
void transition_batch_free(struct transition_batch *batch);

#endif
