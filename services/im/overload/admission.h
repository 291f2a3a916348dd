#ifndef SKEIN_IM_OVERLOAD_ADMISSION_H
#define SKEIN_IM_OVERLOAD_ADMISSION_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Decides how many of the new sends im lets in while more come than can be stored
 * and delivered. It measures time, not length: how long a message waits before
 * PostgreSQL, and how long after it, in push. A queue that is long for a moment is
 * a burst and does no harm. A wait that stays above its target grows until every
 * send runs into its deadline, on a machine of any speed.
 *
 * Once per interval the share that is let in is multiplied by a factor made of how far
 * the worse of the two waits is over its target, and of how much that has
 * changed since the interval before: a PI controller as in RFC 8033 (PIE), fed with
 * CoDel's measure, the shortest wait of the interval. The first part brings the wait
 * to the target, the second reacts to a burst and damps the first. The factor
 * applies to the share that is let in, so the gain is the same at any overload.
 *
 * A wait that is too long counts once it has lasted for ADMISSION_LASTING intervals:
 * after a pause of a store or a broker, a load that fits is worked off by itself.
 *
 * The excess of a wait over its target counts up to ADMISSION_ERROR_MAX_MS: while the
 * backlog of an outage is worked off, the wait falls by about 0.4 s a second, and the
 * rest of the capacity is for new sends. While both waits are below half of their
 * targets, everything is let in again within four seconds. ADMISSION_SHARE_MIN is always
 * let in, to notice that a queue moves again. Besides, `free_rate` sends a second are let
 * in without a draw: a small system does not refuse when a store or broker pauses.
 *
 * The refused sends are drawn at random, so no pattern of callers is favoured. No I/O, no clock; a decision is a
 * handful of instructions. Thread: one.
 */

#define ADMISSION_INTERVAL_MS 100
#define ADMISSION_LASTING 3 /* intervals */
#define ADMISSION_ERROR_MAX_MS 500
#define ADMISSION_SHARE_MIN 0.02

struct admission {
	double share; /* of new sends that are let in: ADMISSION_SHARE_MIN to 1 */
	double errors_ms[ADMISSION_LASTING - 1]; /* of the waits, the last one first */
	double last_error_ms; /* the last one that was acted on */
	double free_sends; /* how many more are let in without a draw; at most those of a second */
	unsigned free_rate; /* a second */
	unsigned store_target_ms, delivery_target_ms;
	uint64_t lot;
};

/* Waits, in milliseconds; 0 where nothing waits or nothing is known. */
struct admission_waits {
	unsigned store_ms; /* before PostgreSQL */
	unsigned delivery_ms; /* after it, until every gateway has answered */
};

/* Targets above 0. `seed` is anything. */
void admission_init(struct admission *admission, unsigned store_target_ms, unsigned delivery_target_ms, unsigned free_rate,
                    uint64_t seed);

/* Every ADMISSION_INTERVAL_MS. */
void admission_update(struct admission *admission, const struct admission_waits *waits);

/* Whether a request with one send or several that has just arrived is to be refused. */
bool admission_refuses(struct admission *admission);

/* After how many seconds a refused client may try again: 1 to 3, random, so that clients do not all come back at once. */
unsigned admission_retry_after_s(struct admission *admission);

#endif
