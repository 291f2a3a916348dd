#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/macros.h"
#include "gateway/router/conn_route.h"

/* The table of conn_route.h, cell by cell: every state meets every change. */

enum change { BIND, DOUBT, RENEWAL, BOUND, NOT_BOUND, KEPT, LOST, NOT_RENEWED, END, CHANGES };

struct cell {
	enum conn_route_state next;
	enum route_op asked;
};

static enum route_op apply(struct conn_route *route, enum change change)
{
	switch (change) {
	case BIND:
		return conn_route_bind(route);
	case DOUBT:
		conn_route_doubt(route);
		return ROUTE_NOTHING;
	case RENEWAL:
		return conn_route_renewal(route);
	case BOUND:
	case NOT_BOUND:
		conn_route_bound(route, change == BOUND);
		return ROUTE_NOTHING;
	case KEPT:
	case LOST:
		return conn_route_renewed(route, change == KEPT);
	case NOT_RENEWED:
		conn_route_not_renewed(route);
		return ROUTE_NOTHING;
	default:
		return conn_route_end(route);
	}
}

#define S(state) CONN_ROUTE_##state
#define STAYS(state) { S(state), ROUTE_NOTHING }

/* clang-format off */
static const struct cell table[CONN_ROUTE_STATES][CHANGES] = {
	[S(NONE)] = {
		[BIND] = { S(BINDING), ROUTE_BIND }, [DOUBT] = STAYS(NONE), [RENEWAL] = STAYS(NONE),
		[BOUND] = STAYS(NONE), [NOT_BOUND] = STAYS(NONE), [KEPT] = STAYS(NONE), [LOST] = STAYS(NONE),
		[NOT_RENEWED] = STAYS(NONE), [END] = { S(ENDED), ROUTE_NOTHING },
	},
	[S(BINDING)] = {
		[BIND] = STAYS(BINDING), [DOUBT] = STAYS(BINDING_DOUBTED), [RENEWAL] = STAYS(BINDING),
		[BOUND] = STAYS(BOUND), [NOT_BOUND] = STAYS(BINDING), [KEPT] = STAYS(BINDING), [LOST] = STAYS(BINDING),
		[NOT_RENEWED] = STAYS(BINDING), [END] = { S(ENDED), ROUTE_UNBIND },
	},
	[S(BINDING_DOUBTED)] = {
		[BIND] = STAYS(BINDING_DOUBTED), [DOUBT] = STAYS(BINDING_DOUBTED), [RENEWAL] = STAYS(BINDING_DOUBTED),
		[BOUND] = STAYS(DOUBTED), [NOT_BOUND] = STAYS(BINDING_DOUBTED), [KEPT] = STAYS(BINDING_DOUBTED),
		[LOST] = STAYS(BINDING_DOUBTED), [NOT_RENEWED] = STAYS(BINDING_DOUBTED), [END] = { S(ENDED), ROUTE_UNBIND },
	},
	[S(BOUND)] = {
		[BIND] = STAYS(BOUND), [DOUBT] = STAYS(DOUBTED), [RENEWAL] = { S(RENEWING), ROUTE_RENEW },
		[BOUND] = STAYS(BOUND), [NOT_BOUND] = STAYS(BOUND), [KEPT] = STAYS(BOUND), [LOST] = STAYS(BOUND),
		[NOT_RENEWED] = STAYS(BOUND), [END] = { S(ENDED), ROUTE_UNBIND },
	},
	[S(RENEWING)] = {
		[BIND] = STAYS(RENEWING), [DOUBT] = STAYS(RENEWING_DOUBTED), [RENEWAL] = STAYS(RENEWING),
		[BOUND] = STAYS(RENEWING), [NOT_BOUND] = STAYS(RENEWING), [KEPT] = STAYS(BOUND),
		[LOST] = { S(REBINDING), ROUTE_REBIND }, [NOT_RENEWED] = STAYS(BOUND), [END] = { S(ENDED), ROUTE_UNBIND },
	},
	[S(RENEWING_DOUBTED)] = {
		[BIND] = STAYS(RENEWING_DOUBTED), [DOUBT] = STAYS(RENEWING_DOUBTED), [RENEWAL] = STAYS(RENEWING_DOUBTED),
		[BOUND] = STAYS(RENEWING_DOUBTED), [NOT_BOUND] = STAYS(RENEWING_DOUBTED),
		[KEPT] = { S(REBINDING), ROUTE_REBIND }, [LOST] = { S(REBINDING), ROUTE_REBIND },
		[NOT_RENEWED] = STAYS(DOUBTED), [END] = { S(ENDED), ROUTE_UNBIND },
	},
	[S(DOUBTED)] = {
		[BIND] = STAYS(DOUBTED), [DOUBT] = STAYS(DOUBTED), [RENEWAL] = { S(REBINDING), ROUTE_REBIND },
		[BOUND] = STAYS(DOUBTED), [NOT_BOUND] = STAYS(DOUBTED), [KEPT] = STAYS(DOUBTED), [LOST] = STAYS(DOUBTED),
		[NOT_RENEWED] = STAYS(DOUBTED), [END] = { S(ENDED), ROUTE_UNBIND },
	},
	[S(REBINDING)] = {
		[BIND] = STAYS(REBINDING), [DOUBT] = STAYS(REBINDING_DOUBTED), [RENEWAL] = STAYS(REBINDING),
		[BOUND] = STAYS(BOUND), [NOT_BOUND] = STAYS(DOUBTED), [KEPT] = STAYS(REBINDING), [LOST] = STAYS(REBINDING),
		[NOT_RENEWED] = STAYS(REBINDING), [END] = { S(ENDED), ROUTE_UNBIND },
	},
	[S(REBINDING_DOUBTED)] = {
		[BIND] = STAYS(REBINDING_DOUBTED), [DOUBT] = STAYS(REBINDING_DOUBTED), [RENEWAL] = STAYS(REBINDING_DOUBTED),
		[BOUND] = STAYS(DOUBTED), [NOT_BOUND] = STAYS(DOUBTED), [KEPT] = STAYS(REBINDING_DOUBTED),
		[LOST] = STAYS(REBINDING_DOUBTED), [NOT_RENEWED] = STAYS(REBINDING_DOUBTED), [END] = { S(ENDED), ROUTE_UNBIND },
	},
	[S(ENDED)] = {
		[BIND] = STAYS(ENDED), [DOUBT] = STAYS(ENDED), [RENEWAL] = STAYS(ENDED), [BOUND] = STAYS(ENDED),
		[NOT_BOUND] = STAYS(ENDED), [KEPT] = STAYS(ENDED), [LOST] = STAYS(ENDED), [NOT_RENEWED] = STAYS(ENDED),
		[END] = STAYS(ENDED),
	},
};
/* clang-format on */

static void every_state_meets_every_change_as_the_table_says(void **state)
{
	(void)state;
	for (int from = 0; from < CONN_ROUTE_STATES; from++)
		for (int change = 0; change < CHANGES; change++) {
			struct conn_route route = { .state = (uint8_t)from };
			const struct cell *cell = &table[from][change];
			enum route_op asked = apply(&route, change);

			if (route.state != cell->next || asked != cell->asked)
				fail_msg("state %d, change %d: state %d and op %d instead of %d and %d", from, change, route.state,
				         asked, cell->next, cell->asked);
		}
}

/* Router answers only requests, so at most one answer is outstanding. */
static bool may_happen(const struct conn_route *route, enum change change)
{
	switch (change) {
	case BOUND:
		return route->state == S(BINDING) || route->state == S(BINDING_DOUBTED) || route->state == S(REBINDING) ||
		       route->state == S(REBINDING_DOUBTED);
	case NOT_BOUND:
		return route->state == S(REBINDING) || route->state == S(REBINDING_DOUBTED);
	case KEPT:
	case LOST:
	case NOT_RENEWED:
		return route->state == S(RENEWING) || route->state == S(RENEWING_DOUBTED);
	default:
		return true;
	}
}

/*
 * The purpose of the states: in every order of changes, only the answer to a REBIND that was sent after a doubt ends the
 * doubt. (The answer has the head of the inbox, and the connection reads up to there.)
 */
static void try_from(struct conn_route before, bool is_doubted, bool is_asked_since, int depth)
{
	for (int change = 0; depth && change < END; change++) {
		struct conn_route route = before;
		bool doubted = is_doubted, asked_since = is_asked_since;

		if (!may_happen(&route, change))
			continue;
		enum route_op op = apply(&route, change);
		if (change == BOUND && asked_since)
			doubted = false;
		if (change == DOUBT && before.state != S(NONE)) {
			doubted = true;
			asked_since = false;
		}
		if (op == ROUTE_REBIND)
			asked_since = true;
		if (doubted && (route.state == S(BOUND) || route.state == S(RENEWING)))
			fail_msg("in doubt, and in state %d after change %d", route.state, change);
		try_from(route, doubted, asked_since, depth - 1);
	}
}

static void a_doubt_lasts_until_a_rebind_asked_after_it_is_answered(void **state)
{
	struct conn_route route = { 0 };
	(void)state;

	try_from(route, false, false, 9);
}

static void an_ended_route_is_unbound_once_and_only_if_router_was_asked(void **state)
{
	struct conn_route asked = { 0 }, never_asked = { 0 };
	(void)state;

	assert_int_equal(conn_route_end(&never_asked), ROUTE_NOTHING);
	assert_int_equal(conn_route_bind(&asked), ROUTE_BIND);
	assert_int_equal(conn_route_end(&asked), ROUTE_UNBIND);
	assert_int_equal(conn_route_end(&asked), ROUTE_NOTHING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_state_meets_every_change_as_the_table_says),
		cmocka_unit_test(a_doubt_lasts_until_a_rebind_asked_after_it_is_answered),
		cmocka_unit_test(an_ended_route_is_unbound_once_and_only_if_router_was_asked),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
