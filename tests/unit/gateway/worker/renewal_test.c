#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "gateway/session/session.h"
#include "gateway/worker/renewal.h"
#include "loop/worker.h"

#define SESSIONS (3 * RENEWAL_ROUND_S)

/* The requests to router end in a link that is closed. */
static struct worker main_worker;
static struct route_link routes;
static struct session_home home;
static struct session sessions[SESSIONS];
static char names[] = "alice";

static int set_up(void **state)
{
	(void)state;

	home = (struct session_home){ .routes = &routes, .worker = &main_worker };
	conn_table_init(&home.table, 0);
	for (int i = 0; i < SESSIONS; i++) {
		sessions[i] = (struct session){ .home = &home, .state = SESSION_LIVE, .names = names };
		sessions[i].route.state = CONN_ROUTE_BOUND;
		sessions[i].id = conn_table_add(&home.table, &sessions[i]);
	}
	routes = (struct route_link){ .setup.main = &main_worker };
	return worker_init(&main_worker, "main") ? -1 : 0;
}

static void stop(struct task *task)
{
	(void)task;
	worker_stop(&main_worker);
}

static int tear_down(void **state)
{
	struct task last = { .run = stop };
	(void)state;

	worker_post(&main_worker, &last);
	worker_run(&main_worker);
	worker_join(&main_worker);
	conn_table_release(&home.table);
	return 0;
}

static int count_in(enum conn_route_state route)
{
	int count = 0;

	for (int i = 0; i < SESSIONS; i++)
		count += sessions[i].route.state == route;
	return count;
}

static void each_route_is_renewed_once_in_a_round(void **state)
{
	struct renewal renewal = { 0 };
	(void)state;

	for (int turn = 1; turn <= RENEWAL_ROUND_S; turn++) {
		renewal_turn(&renewal, &home);
		assert_int_equal(count_in(CONN_ROUTE_RENEWING), turn * SESSIONS / RENEWAL_ROUND_S);
	}
	sessions[0].route.state = sessions[SESSIONS - 1].route.state = CONN_ROUTE_BOUND;
	renewal_turn(&renewal, &home);
	assert_int_equal(sessions[0].route.state, CONN_ROUTE_RENEWING);
	assert_int_equal(sessions[SESSIONS - 1].route.state, CONN_ROUTE_BOUND);
}

static void free_slots_and_sessions_that_are_not_live_are_skipped(void **state)
{
	struct renewal renewal = { 0 };
	(void)state;

	conn_table_remove(&home.table, sessions[5].id);
	sessions[6].state = SESSION_OPENING;
	for (int turn = 1; turn <= RENEWAL_ROUND_S; turn++)
		renewal_turn(&renewal, &home);
	assert_int_equal(sessions[5].route.state, CONN_ROUTE_BOUND);
	assert_int_equal(sessions[6].route.state, CONN_ROUTE_BOUND);
	assert_int_equal(count_in(CONN_ROUTE_RENEWING), SESSIONS - 2);
}

static void a_hurried_round_is_short_and_the_next_one_is_not(void **state)
{
	struct renewal renewal = { 0 };
	(void)state;

	renewal_hurry(&renewal);
	for (int turn = 1; turn <= RENEWAL_HURRY_S; turn++) {
		renewal_turn(&renewal, &home);
		assert_int_equal(count_in(CONN_ROUTE_RENEWING), turn * SESSIONS / RENEWAL_HURRY_S);
	}
	for (int i = 0; i < SESSIONS; i++)
		sessions[i].route.state = CONN_ROUTE_BOUND;
	renewal_turn(&renewal, &home);
	assert_int_equal(count_in(CONN_ROUTE_RENEWING), SESSIONS / RENEWAL_ROUND_S);
}

static void a_round_is_hurried_when_more_routes_were_lost_than_kept(void **state)
{
	struct renewal renewal = { 0 };
	(void)state;

	home.routes_lost = home.routes_kept = 2;
	renewal_turn(&renewal, &home);
	assert_int_equal(count_in(CONN_ROUTE_RENEWING), SESSIONS / RENEWAL_ROUND_S);
	assert_int_equal(home.routes_lost + home.routes_kept, 0);
	home.routes_lost = 2;
	home.routes_kept = 1;
	renewal_turn(&renewal, &home);
	assert_int_equal(count_in(CONN_ROUTE_RENEWING), SESSIONS / RENEWAL_ROUND_S + SESSIONS / RENEWAL_HURRY_S);
	assert_int_equal(home.routes_lost + home.routes_kept, 0);
}

static void after_a_doubt_every_route_is_bound_again_in_a_hurried_round(void **state)
{
	struct renewal renewal = { 0 };
	(void)state;

	renewal_doubt(&renewal);
	renewal_turn(&renewal, &home);
	assert_int_equal(count_in(CONN_ROUTE_REBINDING), SESSIONS / RENEWAL_HURRY_S);
	assert_int_equal(count_in(CONN_ROUTE_DOUBTED), SESSIONS - SESSIONS / RENEWAL_HURRY_S);
	for (int turn = 2; turn <= RENEWAL_HURRY_S; turn++)
		renewal_turn(&renewal, &home);
	assert_int_equal(count_in(CONN_ROUTE_REBINDING), SESSIONS);
}

static void without_connections_a_turn_does_nothing(void **state)
{
	struct session_home empty = { .routes = &routes };
	struct renewal renewal = { 0 };
	(void)state;

	conn_table_init(&empty.table, 0);
	renewal_doubt(&renewal);
	renewal_turn(&renewal, &empty);
	assert_int_equal(renewal.next_slot, 0);
	conn_table_release(&empty.table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_route_is_renewed_once_in_a_round, set_up, tear_down),
		cmocka_unit_test_setup_teardown(free_slots_and_sessions_that_are_not_live_are_skipped, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_hurried_round_is_short_and_the_next_one_is_not, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_round_is_hurried_when_more_routes_were_lost_than_kept, set_up, tear_down),
		cmocka_unit_test_setup_teardown(after_a_doubt_every_route_is_bound_again_in_a_hurried_round, set_up, tear_down),
		cmocka_unit_test_setup_teardown(without_connections_a_turn_does_nothing, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
