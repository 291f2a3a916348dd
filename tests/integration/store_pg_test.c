#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store_pg_fixture.h"

/* ---- answers ---- */

#define MANY 10000

static void ten_thousand_pipelined_queries_are_answered_in_order(void **state)
{
	struct pool_call *calls = mem_zalloc(MANY * sizeof(*calls));
	struct pool pool;
	(void)state;

	pool_open(&pool, 3, MAX_WAITING);
	for (int i = 0; i < MANY; i++)
		pool_query_number(&pool, &calls[i], 7, DO_ECHO, i);
	pool_turn(&pool);
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(calls[i].err, OK);
		assert_int_equal(calls[i].number, i);
		assert_int_equal(calls[i].turn, i);
	}
	pool_close(&pool);
	mem_free(calls);
}

static void any_lane_uses_all_connections_and_a_lane_only_one(void **state)
{
	struct pool_call calls[60] = { 0 };
	struct pool pool;
	(void)state;

	pool_open(&pool, 3, MAX_WAITING);
	turn_until(&pool.worker, pool_is_connected, &pool);
	turn_for(&pool.worker, 300);
	/* One query sleeps on each connection: three at once take no longer than one. */
	uint64_t start = clock_mono_ms();
	for (int i = 0; i < 3; i++)
		pool_query_number(&pool, &calls[i], PG_ANY_LANE, DO_SLEEP, 1);
	pool_turn(&pool);
	assert_in_range(clock_mono_ms() - start, 1000, 2400);
	assert_int_equal(pool.ended_with[OK], 3);
	/* A lane's queries run one after the other. */
	start = clock_mono_ms();
	for (int i = 3; i < 6; i++)
		pool_query_number(&pool, &calls[i], 5, DO_ECHO, i);
	pool_query_number(&pool, &calls[6], 5, DO_SLEEP, 1);
	pool_query_number(&pool, &calls[7], 5, DO_ECHO, 7);
	pool_turn(&pool);
	assert_true(calls[7].turn > calls[6].turn);
	assert_in_range(clock_mono_ms() - start, 1000, 2400);
	pool_close(&pool);
}

static void check_values(struct pool_call *call, const PGresult *result)
{
	struct str texts[4];
	(void)call;

	assert_true(str_equal(pg_text(result, 0, 0), STR("h\xc3\xa9llo")));
	assert_int_equal(pg_i64(result, 0, 1), -7);
	assert_int_equal(pg_i64(result, 0, 2), -70000);
	assert_int_equal(pg_i64(result, 0, 3), INT64_MIN);
	assert_true(pg_bool(result, 0, 4));
	assert_int_equal(pg_text_array(result, 0, 5, texts, 4), 3);
	assert_true(str_equal(texts[0], STR("a")));
	assert_non_null(texts[1].ptr);
	assert_int_equal(texts[1].len, 0);
	assert_null(texts[2].ptr);
	assert_int_equal(pg_text_array(result, 0, 5, texts, 1), 1);
	assert_int_equal(pg_i64(result, 0, 10), 2);
	assert_null(pg_text(result, 0, 9).ptr);
	assert_int_equal(pg_i64(result, 0, 9), 0);
	assert_false(pg_bool(result, 0, 9));
	assert_int_equal(pg_text_array(result, 0, 11, texts, 4), 0);
	assert_false(PQgetisnull(result, 0, 11));
}

static void each_value_comes_back_as_it_was_sent(void **state)
{
	struct pool_call call = { .then = check_values };
	struct pg_params params = { 0 };
	struct pool pool;
	(void)state;

	pool_open(&pool, 1, MAX_WAITING);
	pg_put_text(&params, STR("h\xc3\xa9llo"));
	pg_put_i16(&params, -7);
	pg_put_i32(&params, -70000);
	pg_put_i64(&params, INT64_MIN);
	pg_put_bool(&params, true);
	pg_array_begin(&params, PG_TEXT);
	pg_array_text(&params, STR("a"));
	pg_array_text(&params, STR(""));
	pg_array_null(&params);
	pg_array_end(&params);
	pg_array_begin(&params, PG_INT8);
	pg_array_i64(&params, 1);
	pg_array_i64(&params, -1);
	pg_array_end(&params);
	pg_array_begin(&params, PG_INT4);
	pg_array_i32(&params, 5);
	pg_array_end(&params);
	pg_array_begin(&params, PG_BOOL);
	pg_array_bool(&params, false);
	pg_array_end(&params);
	pg_put_null(&params);
	pg_array_begin(&params, PG_TEXT);
	pg_array_end(&params);
	pool_query(&pool, &call, PG_ANY_LANE, DO_VALUES, &params);
	pool_turn(&pool);
	assert_int_equal(call.err, OK);
	pool_close(&pool);
}

static void an_error_fails_its_own_query_only(void **state)
{
	static const struct {
		const char *sqlstate;
		err_t err;
	} expected[] = {
		{ "23505", ERR_ALREADY_EXISTS }, { "40001", ERR_UNAVAILABLE }, { "40P01", ERR_UNAVAILABLE },
		{ "57014", ERR_UNAVAILABLE }, { "55P03", ERR_UNAVAILABLE }, { "53300", ERR_UNAVAILABLE },
		{ "57P03", ERR_UNAVAILABLE }, { "23503", ERR_INTERNAL }, { "P0001", ERR_INTERNAL }, { "22000", ERR_INTERNAL },
	};
	struct pool_call failing[ARRAY_LEN(expected)] = { 0 }, between[ARRAY_LEN(expected)] = { 0 };
	struct pool pool;
	(void)state;

	pool_open(&pool, 1, MAX_WAITING);
	for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
		pool_query_text(&pool, &failing[i], DO_FAIL, expected[i].sqlstate);
		pool_query_number(&pool, &between[i], PG_ANY_LANE, DO_ECHO, (int64_t)i);
	}
	pool_turn(&pool);
	for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
		assert_int_equal(failing[i].err, expected[i].err);
		assert_string_equal(failing[i].sqlstate, expected[i].sqlstate);
		assert_int_equal(between[i].err, OK);
		assert_int_equal(between[i].number, i);
	}
	pool_close(&pool);
}

static void a_commit_that_fails_is_no_success(void **state)
{
	struct pool_call first = { 0 }, second = { 0 };
	struct pool pool;
	(void)state;

	pool_open(&pool, 1, MAX_WAITING);
	pool_query_number(&pool, &first, PG_ANY_LANE, DO_PUT_DEFERRED, 1);
	pool_query_number(&pool, &second, PG_ANY_LANE, DO_PUT_DEFERRED, 1); /* its row is returned, but its commit fails */
	pool_turn(&pool);
	assert_int_equal(first.err, OK);
	assert_int_equal(second.err, ERR_ALREADY_EXISTS);
	assert_string_equal(second.sqlstate, "23505");
	pool_close(&pool);
}

/* ---- the schema ---- */

static void a_statement_on_a_missing_table_fails_alone_and_works_once_the_table_exists(void **state)
{
	struct pool_call put = { 0 }, echo = { 0 }, again = { 0 };
	struct pool pool;
	(void)state;

	pool_execute("alter table thing rename to other");
	pool_open(&pool, 1, MAX_WAITING);
	pool_query_number(&pool, &put, 0, DO_PUT, 4001);
	pool_query_number(&pool, &echo, 0, DO_ECHO, 4);
	pool_turn(&pool);
	assert_int_equal(put.err, ERR_UNAVAILABLE);
	assert_int_equal(echo.number, 4);
	pool_execute("alter table other rename to thing");
	pool_query_number(&pool, &again, 0, DO_PUT, 4001);
	pool_turn(&pool);
	assert_int_equal(again.err, OK);
	pool_close(&pool);
}

static void a_connection_prepares_a_statement_once(void **state)
{
	struct pool_call calls[3] = { 0 }, counted = { 0 };
	struct pool pool;
	(void)state;

	pool_open(&pool, 1, MAX_WAITING);
	for (int i = 0; i < 3; i++)
		pool_query_number(&pool, &calls[i], 0, DO_ECHO, i);
	pool_query(&pool, &counted, 0, DO_COUNT_PREPARED, NULL);
	pool_turn(&pool);
	for (int i = 0; i < 3; i++)
		assert_int_equal(calls[i].number, i);
	assert_int_equal(counted.number, 2); /* echo, and the statement that counts */
	pool_close(&pool);
}

static void a_statement_that_takes_too_long_is_cancelled_by_the_server(void **state)
{
	struct pool_call slow = { 0 }, behind = { 0 };
	struct pool pool;
	(void)state;

	pool_open_with(&pool, &(struct pg_options){ .connections = 1, .max_waiting = MAX_WAITING, .statement_timeout_ms = 100 });
	pool_query_number(&pool, &slow, 0, DO_SLEEP, 20);
	pool_query_number(&pool, &behind, 0, DO_ECHO, 7);
	pool_turn(&pool);
	assert_int_equal(slow.err, ERR_UNAVAILABLE);
	assert_string_equal(slow.sqlstate, "57014");
	assert_int_equal(behind.number, 7);
	pool_close(&pool);
}

static void a_schema_change_costs_no_more_than_a_new_connection(void **state)
{
	struct pool_call before = { 0 }, during = { 0 }, after = { 0 };
	struct pool pool;
	(void)state;

	pool_open(&pool, 1, MAX_WAITING);
	pool_query(&pool, &before, 0, DO_ALL_OF_SHAPE, NULL);
	pool_turn(&pool);
	assert_int_equal(before.err, OK);
	pool_execute("alter table shape add column b text");
	pool_query(&pool, &during, 0, DO_ALL_OF_SHAPE, NULL);
	pool_turn(&pool);
	assert_int_equal(during.err, ERR_UNAVAILABLE);
	pool_query(&pool, &after, 0, DO_ALL_OF_SHAPE, NULL);
	pool_turn(&pool);
	assert_int_equal(after.err, OK);
	pool_close(&pool);
}

/* ---- limits and the end ---- */

static void try_again(struct pool_call *call, const PGresult *result)
{
	(void)result;
	if (call->err != OK)
		pool_query_number(call->pool, call->arg, 0, DO_ECHO, 0);
}

static void closing_ends_every_query_once_and_refuses_those_that_callbacks_add(void **state)
{
	struct pool_call again[20] = { 0 }, calls[20] = { 0 };
	struct pool pool;
	(void)state;

	pool_open(&pool, 2, MAX_WAITING);
	turn_until(&pool.worker, pool_is_connected, &pool);
	for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
		calls[i].then = try_again;
		calls[i].arg = &again[i];
		pool_query_number(&pool, &calls[i], i, i % 2 ? DO_SLEEP : DO_ECHO, 1);
	}
	pool_close(&pool);
	assert_int_equal(pool.ended, 2 * ARRAY_LEN(calls));
	assert_int_equal(again[0].err, ERR_UNAVAILABLE);
}

static void closing_while_connecting_leaves_nothing_behind(void **state)
{
	struct pool_call call = { 0 };
	struct pool pool;
	(void)state;

	pool_open(&pool, 4, MAX_WAITING);
	pool_query_number(&pool, &call, 0, DO_ECHO, 1);
	pool_close(&pool);
	assert_int_equal(call.err, ERR_UNAVAILABLE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ten_thousand_pipelined_queries_are_answered_in_order),
		cmocka_unit_test(any_lane_uses_all_connections_and_a_lane_only_one),
		cmocka_unit_test(each_value_comes_back_as_it_was_sent),
		cmocka_unit_test(an_error_fails_its_own_query_only),
		cmocka_unit_test(a_commit_that_fails_is_no_success),
		cmocka_unit_test(a_statement_on_a_missing_table_fails_alone_and_works_once_the_table_exists),
		cmocka_unit_test(a_connection_prepares_a_statement_once),
		cmocka_unit_test(a_statement_that_takes_too_long_is_cancelled_by_the_server),
		cmocka_unit_test(a_schema_change_costs_no_more_than_a_new_connection),
		cmocka_unit_test(closing_ends_every_query_once_and_refuses_those_that_callbacks_add),
		cmocka_unit_test(closing_while_connecting_leaves_nothing_behind),
	};
	return cmocka_run_group_tests(tests, pool_make_server, pool_remove_server);
}
