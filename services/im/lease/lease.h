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
 * raised is lost, and another one is taken.
 */

#define LEASE_STORE_WATERMARK_MS 100
#define LEASE_RETRY_MS 500

enum lease_step { LEASE_WAIT, LEASE_TAKE, LEASE_RENEW };

/* {0} but for the life. */
struct lease {
	unsigned life_ms; /* renewed after three tenths of it */
	bool has_number; /* node and epoch are set; the lease may have run out */
	bool is_asking; /* a take or a renewal is under way */
	int node;
	int64_t epoch;
	uint64_t valid_until_ms;
	uint64_t renewed_ms; /* when the last renewal that succeeded was asked for */
	uint64_t asked_ms; /* when the last take or renewal was asked for */
	uint64_t stored_watermark;
};

/* The next step. Before LEASE_TAKE and LEASE_RENEW call lease_asked(), and with the answer one of the others. */
enum lease_step lease_next(const struct lease *lease, uint64_t watermark, uint64_t now_ms);

void lease_asked(struct lease *lease, uint64_t now_ms);
void lease_taken(struct lease *lease, int node, int64_t epoch, uint64_t watermark);
void lease_renewed(struct lease *lease, uint64_t watermark);

/* There was no answer, or an error. */
void lease_unanswered(struct lease *lease);

/* The renewal found another epoch. */
void lease_lost(struct lease *lease);

/*
 * A statement found the lease over or its epoch raised. The lease counts as not held until the next renewal, which is due at
 * once.
 */
void lease_doubt(struct lease *lease);

/* Entries may be stored under it. */
bool lease_is_held(const struct lease *lease, uint64_t now_ms);

#endif
