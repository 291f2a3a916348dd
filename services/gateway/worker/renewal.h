#ifndef SKEIN_GATEWAY_WORKER_RENEWAL_H
#define SKEIN_GATEWAY_WORKER_RENEWAL_H

#include <stdatomic.h>
#include <stdint.h>

/*
 * The round of renewals of one worker: once a second the routes of a slice of its
 * sessions are renewed, so that each route is renewed every RENEWAL_ROUND_S, a
 * third of its life in router. After an outage of router or Redis a round takes
 * RENEWAL_HURRY_S. Thread: the worker's, except for the two requests.
 */

#define RENEWAL_ROUND_S 30
#define RENEWAL_HURRY_S 3

struct session_home;

struct renewal {
	uint32_t next_slot; /* where the next slice begins */
	uint32_t hurried_slots; /* slots still to be renewed in a round of RENEWAL_HURRY_S */
	atomic_bool is_hurry_asked, is_doubt_asked;
};

/* Once a second. */
void renewal_turn(struct renewal *renewal, struct session_home *home);

/* Requests that the routes of all connections are renewed within RENEWAL_HURRY_S. Thread: any. */
void renewal_hurry(struct renewal *renewal);

/* Push took the node for dead for a while: requests that all routes are bound and all inboxes read again. Thread: any. */
void renewal_doubt(struct renewal *renewal);

#endif
