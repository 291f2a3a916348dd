#ifndef SKEIN_BASE_SABOTAGE_H
#define SKEIN_BASE_SABOTAGE_H

#include <stdbool.h>

/*
 * Mechanisms that can be switched off, to check that the tests notice it (`make
 * chaos-selfcheck`). In BUILD=sabotage the environment variable SKEIN_SABOTAGE
 * names the one that is off. In other builds sabotaged() is the constant false
 * and leaves no code.
 */

enum sabotage {
	SABOTAGE_COMMIT_EARLY, /* push commits a record's offset when it receives it */
	SABOTAGE_LOOKUP_FIRST, /* push delivers along routes as they were before the append */
	SABOTAGE_STALE_ROUTES, /* push delivers along the routes it remembers, whatever their version in Redis */
	SABOTAGE_NO_REORDER, /* push dispatches records in the order of arrival */
	SABOTAGE_NO_GAP_READ, /* push skips missing messages instead of reading them */
	SABOTAGE_SYNC_FIRST, /* gateway takes the inbox's head before the route is bound */
	SABOTAGE_NO_SEQUENCER, /* gateway sends messages in the order of arrival */
	SABOTAGE_BLIND_UNBIND, /* a route is deleted without comparing the connection */
	SABOTAGE_NEWEST_MEMBERS, /* push delivers to the newest members, not to the members as of the message */
	SABOTAGE_DELTA_LOST, /* push ignores the change that an entry makes to the membership */
	SABOTAGE_APPEND_DROPPED, /* an append to an inbox is answered as made, and is not: one in a thousand */
	SABOTAGE_FRAME_DROPPED, /* gateway takes a message out of a connection's queue and does not write it: one in fifty */
	SABOTAGE_EVENTS_SWAPPED, /* push delivers each second record of events before the one that came before it */
	SABOTAGE_SENDS_RACE, /* gateway passes each send of a connection on at once */
	SABOTAGE_COUNT
};

#ifdef SKEIN_SABOTAGE
/* Thread: any. */
bool sabotaged(enum sabotage what);

/* True in every `n`-th call of this process, of all its threads together. */
bool sabotaged_each(enum sabotage what, unsigned n);
#else
static inline bool sabotaged(enum sabotage what)
{
	(void)what;
	return false;
}

static inline bool sabotaged_each(enum sabotage what, unsigned n)
{
	(void)what;
	(void)n;
	return false;
}
#endif

#endif
