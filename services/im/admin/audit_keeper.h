#ifndef SKEIN_IM_ADMIN_AUDIT_KEEPER_H
#define SKEIN_IM_ADMIN_AUDIT_KEEPER_H

#include "loop/worker.h"
#include "store/pg/pg.h"

/*
 * Deletes what is older than audit.keep from the audit, at most 1,000 rows at a time. Every im does so, each about twice an
 * hour and at once again while there is more. Thread: the worker's.
 */
struct audit_keeper {
	struct worker *worker;
	struct pg *pg;
	const int64_t *keep_ms; /* may change */
	struct timer timer;
	bool is_stopped;
};

void audit_keeper_start(struct audit_keeper *keeper, struct worker *worker, struct pg *pg, const int64_t *keep_ms);

/* Before pg_close(). */
void audit_keeper_stop(struct audit_keeper *keeper);

#endif
