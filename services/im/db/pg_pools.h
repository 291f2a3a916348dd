#ifndef SKEIN_IM_DB_PG_POOLS_H
#define SKEIN_IM_DB_PG_POOLS_H

#include "im/config.h"
#include "loop/worker.h"
#include "store/pg/pg.h"

/*
 * im's connections to PostgreSQL, in classes that do not wait for each other:
 *
 *   sends    a connection for each lane of the entry writer, and one for the conversations of the system user
 *   control  leases, the takeover, the change feed, readiness
 *   calls    everything else that users ask for; at most pg.calls_in_flight statements on a connection, each cancelled by the
 *            server after pg.statement_timeout
 *
 * A storm of reads therefore delays neither a send nor a lease. Thread: the worker's.
 */
struct pg_pools {
	struct pg *sends, *control, *calls;
	unsigned open;
	void (*closed)(void *arg);
	void *arg;
};

err_t pg_pools_open(struct pg_pools *pools, struct worker *worker, const struct im_config *config) MUST_CHECK;

/* `closed` is called on a later turn, when all connections are closed. */
void pg_pools_close(struct pg_pools *pools, void (*closed)(void *arg), void *arg);

#endif
