#include "base/sabotage.h"

#ifdef SKEIN_SABOTAGE

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[SABOTAGE_COUNT] = {
	[SABOTAGE_COMMIT_EARLY] = "commit_early", [SABOTAGE_LOOKUP_FIRST] = "lookup_first",
	[SABOTAGE_NO_REORDER] = "no_reorder",     [SABOTAGE_NO_GAP_READ] = "no_gap_read",
	[SABOTAGE_SYNC_FIRST] = "sync_first",     [SABOTAGE_NO_SEQUENCER] = "no_sequencer",
	[SABOTAGE_BLIND_UNBIND] = "blind_unbind", [SABOTAGE_NEWEST_MEMBERS] = "newest_members",
	[SABOTAGE_DELTA_LOST] = "delta_lost",     [SABOTAGE_STALE_ROUTES] = "stale_routes",
	[SABOTAGE_APPEND_DROPPED] = "append_dropped",
	[SABOTAGE_FRAME_DROPPED] = "frame_dropped", [SABOTAGE_EVENTS_SWAPPED] = "events_swapped",
	[SABOTAGE_SENDS_RACE] = "sends_race",
};

bool sabotaged(enum sabotage what)
{
	const char *chosen = getenv("SKEIN_SABOTAGE");

	return chosen && strcmp(chosen, names[what]) == 0;
}

bool sabotaged_each(enum sabotage what, unsigned n)
{
	static atomic_uint calls;

	return sabotaged(what) && (atomic_fetch_add(&calls, 1) + 1) % n == 0;
}

#endif
