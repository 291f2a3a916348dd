#include "gateway/worker/renewal.h"

#include "base/macros.h"
#include "gateway/session/session_home.h"
#include "gateway/session/session_route.h"

/* Router had lost most of the routes that were renewed lately: Redis has lost its data, so all routes are bound again now. */
static bool renewal_routes_were_forgotten(struct session_home *home)
{
	bool were = home->routes_lost > home->routes_kept;

	home->routes_lost = home->routes_kept = 0;
	return were;
}

void renewal_turn(struct renewal *renewal, struct session_home *home)
{
	uint32_t slots = home->table.slot_count;
	struct session *session;

	if (atomic_exchange(&renewal->is_doubt_asked, false)) {
		for (uint32_t slot = 0; (session = conn_table_next(&home->table, &slot));)
			session_doubt_route(session);
		renewal_hurry(renewal);
	}
	if (atomic_exchange(&renewal->is_hurry_asked, false) || renewal_routes_were_forgotten(home))
		renewal->hurried_slots = slots;
	uint32_t round_s = renewal->hurried_slots ? RENEWAL_HURRY_S : RENEWAL_ROUND_S;
	uint32_t slice = (slots + round_s - 1) / round_s;
	renewal->hurried_slots -= MIN(renewal->hurried_slots, slice);
	while (slice--) {
		if (renewal->next_slot >= slots)
			renewal->next_slot = 0;
		session = conn_table_at(&home->table, renewal->next_slot++);
		if (session)
			session_renew(session);
	}
}

void renewal_hurry(struct renewal *renewal)
{
	atomic_store(&renewal->is_hurry_asked, true);
}

void renewal_doubt(struct renewal *renewal)
{
	atomic_store(&renewal->is_doubt_asked, true);
}
