#ifndef SKEIN_IM_TOKENS_REVOCATION_FEED_H
#define SKEIN_IM_TOKENS_REVOCATION_FEED_H

#include "im/tokens/revoked_tokens.h"
#include "loop/worker.h"
#include "store/pg/pg.h"

/*
 * Which tokens are revoked, by whichever im: all of them in memory, loaded
 * before the process is ready, and asked for again twice a second. While
 * PostgreSQL is away the set stands.
 *
 * New ones are found by the transaction that stored them. A read begins at the
 * horizon of the read before, pg_snapshot_xmin: every transaction below it was
 * over, so its rows were seen; one above it that commits late is read when it
 * does. Nothing depends on how long a commit takes. Ids of transactions mean
 * nothing on another server (a failover, a restored dump): one that started at
 * another time is read from the beginning.
 *
 * The same read could carry users who were disabled: what is learned here has
 * to be forgotten in known_users.h and kicked. Thread: the worker's.
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
	int64_t server; /* when it started: which one it is */
	bool is_in_pages; /* the next page goes on with a read */
	bool are_loaded;
	bool is_stopped;
	uint64_t forget_ms, clean_ms; /* monotonic: when to do it next */
	void (*learned)(void *arg, const struct revocation *revocation);
	void *arg;
};

/* `learned` is called for each revocation of the last half minute, an own one included, once. */
void revocation_feed_start(struct revocation_feed *revocations, struct worker *worker, struct pg *pg,
                           void (*learned)(void *arg, const struct revocation *revocation), void *arg);

/* Nothing is asked any more; before pg_close(). */
void revocation_feed_stop(struct revocation_feed *revocations);
void revocation_feed_release(struct revocation_feed *revocations);

/* Once true, always true. Before, nobody can say which token is good. */
static inline bool revocation_feed_are_loaded(const struct revocation_feed *revocations)
{
	return revocations->are_loaded;
}

/* OK, ERR_UNAUTHENTICATED: it was revoked before, ERR_UNAVAILABLE. */
typedef void (*revoked_done)(void *arg, err_t err);

/* Stores it; afterwards this process refuses the token, and the others do within a second. */
void revocation_feed_revoke(struct revocation_feed *revocations, const struct revocation *revocation, revoked_done done, void *arg);

#endif
