#ifndef SKEIN_IM_LEASE_LEASE_H
#define SKEIN_IM_LEASE_LEASE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The lease of a node number as a state machine without I/O; lease_keeper.h
 * drives it against PostgreSQL.
 *
 * A lease is valid for its life, counted from the moment when the process asked to
 * take or renew it. So this process never believes in it longer than the database
 * does. A lease that ran out because the database was away does not count, but it
 * can still be renewed as long as its epoch is the same. A lease whose epoch was
 * raised by another process is lost, and another one is taken.
 *
 * The process raises the epoch itself when the outcome of a statement is unknown:
 * that statement may still begin, in the session of a lost connection, and stores
 * nothing under the old epoch. A raise renews the lease, too. Asked again after a
 * lost answer it gives the same epoch.
 */

#define LEASE_STORE_WATERMARK_MS 100
#define LEASE_RETRY_MS 500

enum lease_step { LEASE_WAIT, LEASE_TAKE, LEASE_RENEW, LEASE_RAISE };

/* {0} but for the life. */
struct lease {
	unsigned life_ms; /* renewed after three tenths of it */
	bool has_number; /* node and epoch are set; the lease may have run out */
	bool is_asking; /* a take, a renewal or a raise is under way */
	bool must_raise; /* a statement under this epoch may still begin */
	int node;
	int64_t epoch;
	uint64_t valid_until_ms;
	uint64_t renewed_ms; /* when the last renewal that succeeded was asked for */
	uint64_t asked_ms; /* when the last step was asked for */
	uint64_t must_raise_ms; /* since when */
	uint64_t stored_watermark;
};

/* The next step. Before any but LEASE_WAIT call lease_asked(), and with the answer one of the others. */
enum lease_step lease_next(const struct lease *lease, uint64_t watermark, uint64_t now_ms);

void lease_asked(struct lease *lease, uint64_t now_ms);
void lease_taken(struct lease *lease, int node, int64_t epoch, uint64_t watermark);
void lease_renewed(struct lease *lease, uint64_t watermark);

/* The raise was answered: `epoch` is the lease's now, or the same while the old statement still runs. */
void lease_raised(struct lease *lease, int64_t epoch, uint64_t watermark);

/* There was no answer, or an error. */
void lease_unanswered(struct lease *lease);

/* The renewal found another epoch. */
void lease_lost(struct lease *lease);

/*
 * A statement found the lease over or its epoch raised. The lease counts as not held until the next renewal, which is due at
 * once.
 */
void lease_doubt(struct lease *lease);

/* The outcome of a statement under this epoch is unknown. Unless the epoch was raised since, a raise is due at once. */
void lease_fence(struct lease *lease, int64_t epoch, uint64_t now_ms);

/* Entries may be stored under it. */
bool lease_is_held(const struct lease *lease, uint64_t now_ms);

#endif
