#ifndef SKEIN_IM_RETENTION_RETENTION_H
#define SKEIN_IM_RETENTION_RETENTION_H

#include "im/config.h"
#include "loop/worker.h"
#include "store/pg/pg.h"

/*
 * Removes, in the background, the bodies of messages that have expired and history that is kept no longer. Every im
 * asks for the next run; one at a time makes it (fn.retention_run()), bounded in rows and in milliseconds. No send
 * waits for it. Thread: the worker's.
 */
struct retention {
	struct worker *worker;
	struct pg *pg;
	const struct im_config *config;
	struct timer timer; /* the next question */
	int64_t rows; /* of the next run, at most */
	bool is_stopped;
	struct counter *runs, *failures, *entries, *bodies;
	struct histogram *durations;
	uint64_t started_us;
};

/* `pg` is a pool whose statements are cancelled in time, and which holds no leases. */
void retention_start(struct retention *retention, struct worker *worker, struct pg *pg, const struct im_config *config);

/* No run begins any more; before `pg` is closed. */
void retention_stop(struct retention *retention);

#endif
