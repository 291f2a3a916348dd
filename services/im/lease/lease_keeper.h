#ifndef SKEIN_IM_LEASE_LEASE_KEEPER_H
#define SKEIN_IM_LEASE_LEASE_KEEPER_H

#include "base/msgid.h"
#include "base/telemetry/metrics.h"
#include "im/lease/lease.h"
#include "im/lease/watermark.h"
#include "loop/worker.h"
#include "store/pg/pg.h"

/*
 * Holds a node number in PostgreSQL for as long as the process lives: leases
 * one, renews it, stores the watermark about ten times a second while it moves,
 * gives it back at the end. Ids of entries come from here, because they carry the
 * number. Thread: the worker's.
 *
 * While nothing is open, every renewal moves the watermark to the present. A
 * takeover reads the messages of all nodes since the watermark, so an old one would
 * be expensive.
 *
 * When the outcome of a statement is unknown, the keeper raises the epoch of its own
 * lease (lease_keeper_fence()) before the statement is tried again. The ids that are
 * open stay open: the number is still this process's.
 */
struct lease_keeper {
	struct lease lease;
	struct watermark watermark;
	struct msgid ids;
	struct worker *worker;
	struct pg *pg;
	const char *owner;
	struct timer timer;
	bool is_starved; /* the last try to lease found no free number */
	bool is_leaving;
	uint64_t asked_watermark; /* the watermark that the renewal or raise under way stores */
	struct counter *raised;
	void (*given_back)(void *arg);
	void *arg;
};

/* As long as a takeover waits after a lease's end (fn.im_lease_take_over()). */
#define LEASE_PATIENCE_MS 2000

/* For the caretaker of another im's number too (takeover.h). Their parameters are in lease_keeper.c. */
extern const struct pg_statement lease_renew_statement, lease_give_back_statement;

/* Leases a number as soon as PostgreSQL answers. `owner` is this process's name; it outlives the keeper. */
void lease_keeper_start(struct lease_keeper *keeper, struct worker *worker, struct pg *pg, const char *owner,
                        unsigned life_ms);

bool lease_keeper_is_held(const struct lease_keeper *keeper);

/* A statement was refused because of the lease. */
void lease_keeper_doubt(struct lease_keeper *keeper);

/*
 * The answer of a statement under this epoch was lost; the statement may be at work, or begin later. Raises the epoch, unless
 * that was done since. A session that still holds the old statement's lock is terminated after LEASE_PATIENCE_MS.
 */
void lease_keeper_fence(struct lease_keeper *keeper, int64_t epoch);

/* The raise is under way. A statement that is sent now would be refused. */
bool lease_keeper_is_fencing(const struct lease_keeper *keeper);

/* A new id, open in the watermark until watermark_close(). Only while the lease is held. */
uint64_t lease_keeper_draw_id(struct lease_keeper *keeper, struct watermark_place *place);

/*
 * Stores the last watermark and, when nothing is open any more, gives the number back. Otherwise the lease runs out, and
 * another im takes over and publishes the remaining entries. The memory may go when PostgreSQL's pool is closed.
 */
void lease_keeper_leave(struct lease_keeper *keeper, void (*given_back)(void *arg), void *arg);

#endif
