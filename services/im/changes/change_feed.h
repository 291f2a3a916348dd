#ifndef SKEIN_IM_CHANGES_CHANGE_FEED_H
#define SKEIN_IM_CHANGES_CHANGE_FEED_H

#include "im/changes/id_set.h"
#include "loop/worker.h"
#include "store/pg/pg.h"

/*
 * The changes that every im has to know within 2 s: revoked tokens, and users who were disabled, enabled, logged out or
 * deleted. Whoever makes a change stores it in the table change_feed, in the same transaction; every im reads the table twice a
 * second.
 *
 * Revoked tokens are kept in memory, all of the cluster. They are loaded before the process is ready. Of a user nothing is
 * kept: the account has it, and the change says that what is remembered of the user (known_users.h) is out of date. While
 * PostgreSQL is away nothing changes.
 *
 * New rows are found by the id of the transaction that stored them. A read begins at the horizon of the read before,
 * pg_snapshot_xmin: every transaction below it had ended, so its rows were seen. A transaction above it that commits late is
 * read after its commit, however long that takes. Ids of transactions mean nothing on another server (a failover, a restored
 * dump): when the server's start time changes, everything is read from the beginning.
 *
 * Thread: the worker's.
 */

enum change_kind {
	CHANGE_REVOKED, /* a token */
	CHANGE_USER_DISABLED,
	CHANGE_USER_ENABLED,
	CHANGE_USER_LOGGED_OUT, /* all tokens that were issued so far */
	CHANGE_USER_DELETED,
	CHANGE_UNKNOWN, /* rows may have been missed: anything about any user may have changed */
};

struct change {
	enum change_kind kind;
	unsigned char id[JWT_TOKEN_ID_BYTES]; /* the token's, or drawn by change_make() */
	char uid[65]; /* empty: CHANGE_UNKNOWN */
	uint64_t expires_ms; /* CHANGE_REVOKED: then no token of the family is valid any more */
	uint64_t issued_until_ms; /* CHANGE_USER_LOGGED_OUT: the tokens that were issued up to then */
	bool is_recent; /* false: the im processes that ran when it was made have closed connections for it */
};

typedef void (*change_learned)(void *arg, const struct change *change);

struct change_feed {
	struct worker *worker;
	struct pg *pg;
	struct id_set revoked; /* tokens */
	struct id_set seen; /* changes of users that were learned; their rows may be read again until the horizon has passed */
	struct timer timer; /* the next read */
	struct buf after; /* the id behind which the next page begins */
	int64_t from_tx; /* where the next page begins */
	int64_t next_tx; /* where the next read begins */
	int64_t server; /* its start time, which identifies it */
	uint64_t read_ms; /* monotonic: the last read that succeeded */
	bool is_in_pages; /* the next page continues a read */
	bool are_loaded;
	bool is_stopped;
	uint64_t forget_ms, clean_ms; /* monotonic: the next time of each */
	change_learned learned;
	void *arg;
};

/*
 * `learned` is called once for each change of a user, in the order of the transactions, and once for each token that was
 * revoked in the last 30 s; for changes of this process, too.
 */
void change_feed_start(struct change_feed *feed, struct worker *worker, struct pg *pg, change_learned learned, void *arg);

/* Stops reading; before pg_close(). */
void change_feed_stop(struct change_feed *feed);
void change_feed_release(struct change_feed *feed);

/* True from the first complete read on. Before that no token can be verified. */
static inline bool change_feed_is_loaded(const struct change_feed *feed)
{
	return feed->are_loaded;
}

/* OK; ERR_UNAUTHENTICATED when it was revoked before; ERR_UNAVAILABLE. */
typedef void (*revoked_done)(void *arg, err_t err);

/* Stores that a token is revoked. Afterwards this process refuses the token, and the others do within a second. */
void change_feed_revoke(struct change_feed *feed, const struct change *revoked, revoked_done done, void *arg);

/*
 * ---- A change of a user, made by a statement of the caller's ----
 *
 * Draw it, give it to the statement, which calls fn.change_add($1, $2, $3) where it changes something, and learn it when
 * the statement has succeeded: then this process acts at once, not with the next read.
 */
void change_make(struct change *change, enum change_kind kind, struct str uid);
void change_put_id(struct pg_params *params, const struct change *change); /* id::bytea, for a statement that knows the rest */
void change_put(struct pg_params *params, const struct change *change); /* id::bytea, kind::text */
void change_feed_learn(struct change_feed *feed, const struct change *change);

#endif
