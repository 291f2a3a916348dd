#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store_pg_fixture.h"

/* Every query that ended with OK has its row; every query reported as not executed has none. */
static void check_rows(const struct pool_call *calls, int count)
{
	bool *is_there = mem_zalloc((size_t)count * sizeof(*is_there));
	PGresult *ids = pool_ask("select id from thing");

	for (int row = 0; row < PQntuples(ids); row++)
		is_there[pg_i64(ids, row, 0)] = true;
	PQclear(ids);
	for (int i = 0; i < count; i++) {
		if (calls[i].err == OK)
			assert_true(is_there[i]);
		else if (calls[i].err == ERR_UNAVAILABLE)
			assert_false(is_there[i]);
		else
			assert_int_equal(calls[i].err, ERR_OUTCOME_UNKNOWN);
	}
	mem_free(is_there);
}

#define ROUNDS 40
#define A_ROUND 25

static void a_killed_server_leaves_only_calls_under_way_in_doubt(void **state)
{
	struct pool_call *calls = mem_zalloc(ROUNDS * A_ROUND * sizeof(*calls));
	struct pool pool;
	(void)state;

	pool_execute("truncate thing");
	pool_open(&pool, 2, MAX_WAITING);
	turn_until(&pool.worker, pool_is_connected, &pool);
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = round * A_ROUND; i < (round + 1) * A_ROUND; i++)
			pool_query_number(&pool, &calls[i], (uint64_t)i, DO_PUT, i);
		uv_run(&pool.worker.loop, UV_RUN_NOWAIT);
		if (round == ROUNDS / 2)
			real_server_kill(&pool_server);
	}
	turn_until(&pool.worker, pool_is_disconnected, &pool);
	/* A query given now waits until the server is back. */
	struct pool_call late = { 0 };
	pool_query_number(&pool, &late, PG_ANY_LANE, DO_ECHO, 1);
	real_server_start(&pool_server);
	uint64_t back = clock_mono_ms();
	turn_until(&pool.worker, pool_is_connected, &pool);
	assert_in_range(clock_mono_ms() - back, 0, 2000);
	pool_turn(&pool);
	assert_int_equal(late.err, OK);
	assert_true(pool.ended_with[OK] > 0);
	check_rows(calls, ROUNDS * A_ROUND);
	pool_close(&pool);
	mem_free(calls);
}

static void a_server_that_hangs_is_given_up_after_the_timeout(void **state)
{
	struct pool_call sent[10] = { 0 }, waiting[10] = { 0 }, after = { 0 };
	struct pool pool;
	(void)state;

	pool_execute("truncate thing");
	pool_open(&pool, 1, MAX_WAITING);
	turn_until(&pool.worker, pool_is_connected, &pool);
	real_server_pause(&pool_server);
	uint64_t start = clock_mono_ms();
	for (int i = 0; i < 10; i++)
		pool_query_number(&pool, &sent[i], PG_ANY_LANE, DO_PUT, i);
	pool_turn(&pool);
	assert_in_range(clock_mono_ms() - start, POOL_TIMEOUT_MS, POOL_TIMEOUT_MS + 1500);
	turn_until(&pool.worker, pool_is_disconnected, &pool);
	for (int i = 0; i < 10; i++)
		pool_query_number(&pool, &waiting[i], PG_ANY_LANE, DO_PUT, 100 + i);
	pool_turn(&pool);
	assert_int_equal(pool.ended_with[ERR_OUTCOME_UNKNOWN], 10);
	assert_int_equal(pool.ended_with[ERR_UNAVAILABLE], 10);
	real_server_continue(&pool_server);
	turn_until(&pool.worker, pool_is_connected, &pool);
	pool_query_number(&pool, &after, PG_ANY_LANE, DO_ECHO, 5);
	pool_turn(&pool);
	assert_int_equal(after.err, OK);
	PGresult *ids = pool_ask("select id from thing where id >= 100");
	assert_int_equal(PQntuples(ids), 0);
	PQclear(ids);
	pool_close(&pool);
}

static void a_slow_query_does_not_bring_down_its_connection(void **state)
{
	struct pool_call slow[3] = { 0 }, late = { 0 }, before = { 0 }, after = { 0 };
	struct pool pool;
	(void)state;

	pool_open(&pool, 1, MAX_WAITING);
	pool_query(&pool, &before, 0, DO_NAME_SESSION, NULL);
	pool_turn(&pool);
	for (size_t i = 0; i < ARRAY_LEN(slow); i++)
		pool_query_number(&pool, &slow[i], 0, DO_SLEEP, 1);
	pool_query_number(&pool, &late, 0, DO_ECHO, 1);
	pool_turn(&pool);
	/* The first takes one second. The second ends too late for its caller, and so does everything queued behind it. */
	assert_int_equal(slow[0].err, OK);
	assert_int_equal(slow[1].err, ERR_OUTCOME_UNKNOWN);
	assert_int_equal(late.err, ERR_OUTCOME_UNKNOWN);
	turn_for(&pool.worker, 1600);
	pool_query(&pool, &after, 0, DO_NAME_SESSION, NULL);
	pool_turn(&pool);
	assert_int_equal(after.err, OK);
	assert_int_equal(after.number, before.number);
	pool_close(&pool);
}

static void a_pool_survives_the_termination_of_its_session(void **state)
{
	struct pool_call sleeping = { 0 }, after = { 0 };
	struct pool pool;
	(void)state;

	pool_open(&pool, 1, MAX_WAITING);
	turn_until(&pool.worker, pool_is_connected, &pool);
	pool_query_number(&pool, &sleeping, 0, DO_SLEEP, 1);
	turn_for(&pool.worker, 100);
	pool_execute(pool_statements[DO_TERMINATE_OTHERS].sql);
	pool_turn(&pool);
	assert_int_equal(sleeping.err, ERR_OUTCOME_UNKNOWN);
	pool_query_number(&pool, &after, 0, DO_ECHO, 3);
	pool_turn(&pool);
	assert_int_equal(after.err, OK);
	pool_close(&pool);
}

static void queries_beyond_max_sent_are_not_lost_with_the_connection(void **state)
{
	struct pool_call first = { 0 }, slow = { 0 }, echoes[4] = { 0 };
	struct pool pool;
	(void)state;

	pool_open_with(&pool, &(struct pg_options){ .connections = 1, .max_waiting = MAX_WAITING, .max_sent = 2 });
	pool_query_number(&pool, &first, 0, DO_ECHO, 0);
	pool_turn(&pool);
	pool_query_number(&pool, &slow, 0, DO_SLEEP, 20);
	for (int i = 0; i < 4; i++)
		pool_query_number(&pool, &echoes[i], 0, DO_ECHO, i);
	pool_execute(pool_statements[DO_TERMINATE_OTHERS].sql);
	pool_turn(&pool);
	assert_int_not_equal(slow.err, OK);
	assert_int_equal(echoes[0].err, ERR_OUTCOME_UNKNOWN);
	for (int i = 1; i < 4; i++)
		assert_int_equal(echoes[i].err, OK);
	pool_close(&pool);
}

static void calls_over_the_limit_are_refused_and_memory_stays_bounded(void **state)
{
	static char body[4000];
	struct pool_call *calls = mem_zalloc(2000 * sizeof(*calls));
	struct pool pool;
	(void)state;

	pool_open(&pool, 2, 100);
	turn_until(&pool.worker, pool_is_connected, &pool);
	real_server_kill(&pool_server);
	turn_until(&pool.worker, pool_is_disconnected, &pool);
	uint64_t before = allocated_bytes();
	memset(body, 'x', sizeof(body) - 1);
	for (int i = 0; i < 2000; i++) {
		pool_query_text(&pool, &calls[i], DO_FAIL, body);
		uv_run(&pool.worker.loop, UV_RUN_NOWAIT);
		assert_int_equal(gauge_value(pool.waiting), pool.given - pool.ended);
		assert_in_range(gauge_value(pool.waiting), 0, 101);
	}
	assert_in_range(allocated_bytes() - MIN(before, allocated_bytes()), 0, 100 * (sizeof(body) + 2000));
	assert_true(pool.ended >= 1800);
	pool_turn(&pool);
	assert_int_equal(pool.ended_with[ERR_UNAVAILABLE], 2000);
	pool_close(&pool);
	real_server_start(&pool_server);
	mem_free(calls);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_killed_server_leaves_only_calls_under_way_in_doubt),
		cmocka_unit_test(a_server_that_hangs_is_given_up_after_the_timeout),
		cmocka_unit_test(a_slow_query_does_not_bring_down_its_connection),
		cmocka_unit_test(a_pool_survives_the_termination_of_its_session),
		cmocka_unit_test(queries_beyond_max_sent_are_not_lost_with_the_connection),
		cmocka_unit_test(calls_over_the_limit_are_refused_and_memory_stays_bounded),
	};
	return cmocka_run_group_tests(tests, pool_make_server, pool_remove_server);
}
