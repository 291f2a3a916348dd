#ifndef SKEIN_BASE_SABOTAGE_H
#define SKEIN_BASE_SABOTAGE_H

#include <stdbool.h>

/*
 * Mechanisms that can be switched off, to see that the tests notice (`make
 * chaos-selfcheck`). Only in BUILD=sabotage, where the environment variable
 * SKEIN_SABOTAGE names the one that is off; in any other build sabotaged() is
 * the constant false, and the compiler leaves nothing of it.
 */

enum sabotage {
	SABOTAGE_COMMIT_EARLY, /* push commits a record's offset when it takes it */
	SABOTAGE_LOOKUP_FIRST, /* push delivers along routes as they were before the append */
	SABOTAGE_NO_REORDER, /* push dispatches records as they come */
	SABOTAGE_NO_GAP_READ, /* push passes over what is missing instead of reading it */
	SABOTAGE_SYNC_FIRST, /* gateway takes the inbox's head before the route is bound */
	SABOTAGE_NO_SEQUENCER, /* gateway sends what comes as it comes */
	SABOTAGE_BLIND_UNBIND, /* a route is deleted without a look at whose it is */
	SABOTAGE_COUNT
};

#ifdef SKEIN_SABOTAGE
/* Thread: any. */
bool sabotaged(enum sabotage what);
#else
static inline bool sabotaged(enum sabotage what)
{
	(void)what;
	return false;
}
#endif

#endif
