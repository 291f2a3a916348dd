#ifndef SKEIN_IM_TOKENS_REVOCATION_FEED_H
#define SKEIN_IM_TOKENS_REVOCATION_FEED_H

#include "im/tokens/revoked_tokens.h"
#include "loop/worker.h"
#include "store/pg/pg.h"

/*
 * Keeps all revoked tokens of the cluster in memory. They are loaded before the process is ready, and new ones are read twice
 * a second. While PostgreSQL is away the set does not change.
 *
 * New rows are found by the id of the transaction that stored them. A read begins at the horizon of the read before,
 * pg_snapshot_xmin: every transaction below it had ended, so its rows were seen. A transaction above it that commits late is
 * read after its commit, however long that takes. Ids of transactions mean nothing on another server (a failover, a restored
 * dump): when the server's start time changes, everything is read from the beginning.
 *
 * Thread: the worker's.
 */

struct revocation {
	unsigned char token_id[JWT_TOKEN_ID_BYTES];
	char uid[65];
	uint64_t expires_ms;
};

struct revocation_feed {
	struct worker *worker;
	struct pg *pg;
	struct revoked_tokens tokens;
	struct timer timer; /* the next read */
	struct buf after; /* the id behind which the next page begins */
	int64_t from_tx; /* where the next page begins */
	int64_t next_tx; /* where the next read begins */
	int64_t server; /* its start time, which identifies it */
	bool is_in_pages; /* the next page continues a read */
	bool are_loaded;
	bool is_stopped;
	uint64_t forget_ms, clean_ms; /* monotonic: the next time of each */
	void (*learned)(void *arg, const struct revocation *revocation);
	void *arg;
};

/* `learned` is called once for each revocation of the last 30 s, including those of this process. */
void revocation_feed_start(struct revocation_feed *revocations, struct worker *worker, struct pg *pg,
                           void (*learned)(void *arg, const struct revocation *revocation), void *arg);

/* Stops reading; before pg_close(). */
void revocation_feed_stop(struct revocation_feed *revocations);
void revocation_feed_release(struct revocation_feed *revocations);

/* True from the first complete read on. Before that no token can be verified. */
static inline bool revocation_feed_are_loaded(const struct revocation_feed *revocations)
{
	return revocations->are_loaded;
}

/* OK; ERR_UNAUTHENTICATED when it was revoked before; ERR_UNAVAILABLE. */
typedef void (*revoked_done)(void *arg, err_t err);

/* Stores the revocation. Afterwards this process refuses the token, and the others do within a second. */
void revocation_feed_revoke(struct revocation_feed *revocations, const struct revocation *revocation, revoked_done done, void *arg);

#endif
