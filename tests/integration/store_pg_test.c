#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "servers.h"
#include "store/pg/pg.h"
#include "store/pg/pg_conn.h"
#include "store_fixture.h"

#define TIMEOUT_MS 1500
#define MAX_WAITING 20000

enum {
	DO_ECHO,
	DO_VALUES,
	DO_PUT,
	DO_PUT_DEFERRED,
	DO_FAIL,
	DO_SLEEP,
	DO_TERMINATE_OTHERS,
	DO_ALL_OF_SHAPE,
	DO_NAME_SESSION,
	DO_COUNT_PREPARED,
	STATEMENTS
};

static const struct pg_statement statements[STATEMENTS] = {
	[DO_ECHO] = { "echo", "select $1::bigint" },
	[DO_VALUES] = { "values", "select $1::text, $2::smallint, $3::int, $4::bigint, $5::bool, $6::text[], $7::bigint[], "
	                          "$8::int[], $9::bool[], $10::text, cardinality($7), $11::text[]" },
	[DO_PUT] = { "put", "insert into thing (id) values ($1)" },
	[DO_PUT_DEFERRED] = { "put_deferred", "insert into late (id) values ($1) returning id" },
	[DO_FAIL] = { "fail", "select fail($1::text)" },
	[DO_SLEEP] = { "sleep", "select 1 from pg_sleep($1::bigint)" },
	[DO_TERMINATE_OTHERS] = { "terminate", "select pg_terminate_backend(pid) from pg_stat_activity "
	                                       "where pid <> pg_backend_pid() and backend_type = 'client backend'" },
	[DO_ALL_OF_SHAPE] = { "all_of_shape", "select * from shape" },
	[DO_COUNT_PREPARED] = { "count_prepared", "select count(*) from pg_prepared_statements" },
	[DO_NAME_SESSION] = { "name_session", "select pg_backend_pid()::bigint" },
};

static const char schema[] =
	"create table thing (id bigint primary key);"
	"create table late (id bigint unique deferrable initially deferred);"
	"create table shape (a bigint);"
	"create function fail(state text) returns void language plpgsql as"
	" $$ begin raise exception 'no' using errcode = state; end $$;";

static struct real_server server = { .kind = REAL_POSTGRES, .extra = { "fsync", "off" } };

/* ---- a pool, and calls that must end exactly once ---- */

struct fixture {
	struct worker worker;
	struct pg *pg;
	struct gauge *waiting;
	unsigned given, ended;
	unsigned ended_with[ERR_COUNT];
	bool is_in_call;
};

struct call {
	struct fixture *fixture;
	bool has_ended;
	err_t err;
	int64_t number; /* what the first row's first column holds */
	unsigned turn; /* how many ended before it */
	char sqlstate[6];
	void (*then)(struct call *call, const PGresult *result);
	void *arg;
};

static void on_done(void *arg, err_t err, const PGresult *result)
{
	struct call *call = arg;

	assert_false(call->has_ended);
	assert_false(call->fixture->is_in_call);
	call->has_ended = true;
	call->err = err;
	call->turn = call->fixture->ended++;
	call->fixture->ended_with[err]++;
	if (err == OK && PQntuples(result) > 0 && PQgetlength(result, 0, 0) == 8)
		call->number = pg_i64(result, 0, 0);
	assert_true(str_copy(call->sqlstate, sizeof(call->sqlstate), str_from(pg_sqlstate(result))));
	if (call->then)
		call->then(call, result);
}

static void query(struct fixture *f, struct call *call, uint64_t lane, unsigned statement, struct pg_params *params)
{
	call->fixture = f;
	f->given++;
	f->is_in_call = true;
	pg_query(f->pg, lane, &statements[statement], params, on_done, call);
	f->is_in_call = false;
}

static void query_number(struct fixture *f, struct call *call, uint64_t lane, unsigned statement, int64_t number)
{
	struct pg_params params = { 0 };

	pg_put_i64(&params, number);
	query(f, call, lane, statement, &params);
	assert_null(params.bytes.ptr);
}

static void query_text(struct fixture *f, struct call *call, unsigned statement, const char *text)
{
	struct pg_params params = { 0 };

	pg_put_text(&params, str_from(text));
	query(f, call, PG_ANY_LANE, statement, &params);
}

static void turn_until_all_ended(struct fixture *f)
{
	turn_until_count(&f->worker, &f->ended, f->given);
	assert_int_equal(gauge_value(f->waiting), 0);
}

static bool is_connected(void *arg)
{
	return pg_is_connected(((struct fixture *)arg)->pg);
}

static bool is_disconnected(void *arg)
{
	return !is_connected(arg);
}

static void open_pool_with(struct fixture *f, const struct pg_options *chosen)
{
	struct pg_options options = *chosen;

	*f = (struct fixture){ .waiting = metrics_gauge("test_pg_waiting", "Queries that are not answered.", NULL) };
	options.uri = server.uri;
	options.waiting_gauge = f->waiting;
	options.timeout_ms = TIMEOUT_MS;
	assert_int_equal(worker_init(&f->worker, "test"), OK);
	assert_int_equal(pg_new(&f->pg, &f->worker, &options), OK);
}

static void open_pool(struct fixture *f, unsigned connections, unsigned max_waiting)
{
	open_pool_with(f, &(struct pg_options){ .connections = connections, .max_waiting = max_waiting });
}

static void close_pool(struct fixture *f)
{
	bool is_closed = false;

	pg_close(f->pg, note_closed, &is_closed);
	assert_false(is_closed);
	turn_until_true(&f->worker, &is_closed);
	assert_int_equal(f->ended, f->given);
	end_worker(&f->worker);
}

static void execute(const char *sql)
{
	PGconn *conn = pg_connect_blocking(server.uri);

	assert_non_null(conn);
	PGresult *result = PQexec(conn, sql);
	if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK)
		fail_msg("%s: %s", sql, PQerrorMessage(conn));
	PQclear(result);
	PQfinish(conn);
}

/* The first column of all rows. */
static PGresult *ask(const char *sql)
{
	PGconn *conn = pg_connect_blocking(server.uri);

	assert_non_null(conn);
	PGresult *result = PQexecParams(conn, sql, 0, NULL, NULL, NULL, NULL, 1);
	assert_int_equal(PQresultStatus(result), PGRES_TUPLES_OK);
	PQfinish(conn);
	return result;
}

/* ---- answers ---- */

#define MANY 10000

static void ten_thousand_pipelined_queries_are_answered_in_order(void **state)
{
	struct call *calls = mem_zalloc(MANY * sizeof(*calls));
	struct fixture f;
	(void)state;

	open_pool(&f, 3, MAX_WAITING);
	for (int i = 0; i < MANY; i++)
		query_number(&f, &calls[i], 7, DO_ECHO, i);
	turn_until_all_ended(&f);
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(calls[i].err, OK);
		assert_int_equal(calls[i].number, i);
		assert_int_equal(calls[i].turn, i);
	}
	close_pool(&f);
	mem_free(calls);
}

static void any_lane_uses_all_connections_and_a_lane_only_one(void **state)
{
	struct call calls[60] = { 0 };
	struct fixture f;
	(void)state;

	open_pool(&f, 3, MAX_WAITING);
	turn_until(&f.worker, is_connected, &f);
	turn_for(&f.worker, 300);
	/* One sleeps on each: three at once take no longer than one. */
	uint64_t start = clock_mono_ms();
	for (int i = 0; i < 3; i++)
		query_number(&f, &calls[i], PG_ANY_LANE, DO_SLEEP, 1);
	turn_until_all_ended(&f);
	assert_in_range(clock_mono_ms() - start, 1000, 2400);
	assert_int_equal(f.ended_with[OK], 3);
	/* A lane's queries run one after the other. */
	start = clock_mono_ms();
	for (int i = 3; i < 6; i++)
		query_number(&f, &calls[i], 5, DO_ECHO, i);
	query_number(&f, &calls[6], 5, DO_SLEEP, 1);
	query_number(&f, &calls[7], 5, DO_ECHO, 7);
	turn_until_all_ended(&f);
	assert_true(calls[7].turn > calls[6].turn);
	assert_in_range(clock_mono_ms() - start, 1000, 2400);
	close_pool(&f);
}

static void check_values(struct call *call, const PGresult *result)
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
	struct call call = { .then = check_values };
	struct pg_params params = { 0 };
	struct fixture f;
	(void)state;

	open_pool(&f, 1, MAX_WAITING);
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
	query(&f, &call, PG_ANY_LANE, DO_VALUES, &params);
	turn_until_all_ended(&f);
	assert_int_equal(call.err, OK);
	close_pool(&f);
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
	struct call failing[ARRAY_LEN(expected)] = { 0 }, between[ARRAY_LEN(expected)] = { 0 };
	struct fixture f;
	(void)state;

	open_pool(&f, 1, MAX_WAITING);
	for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
		query_text(&f, &failing[i], DO_FAIL, expected[i].sqlstate);
		query_number(&f, &between[i], PG_ANY_LANE, DO_ECHO, (int64_t)i);
	}
	turn_until_all_ended(&f);
	for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
		assert_int_equal(failing[i].err, expected[i].err);
		assert_string_equal(failing[i].sqlstate, expected[i].sqlstate);
		assert_int_equal(between[i].err, OK);
		assert_int_equal(between[i].number, i);
	}
	close_pool(&f);
}

static void a_commit_that_fails_is_no_success(void **state)
{
	struct call first = { 0 }, second = { 0 };
	struct fixture f;
	(void)state;

	open_pool(&f, 1, MAX_WAITING);
	query_number(&f, &first, PG_ANY_LANE, DO_PUT_DEFERRED, 1);
	query_number(&f, &second, PG_ANY_LANE, DO_PUT_DEFERRED, 1); /* its row comes, its commit does not */
	turn_until_all_ended(&f);
	assert_int_equal(first.err, OK);
	assert_int_equal(second.err, ERR_ALREADY_EXISTS);
	assert_string_equal(second.sqlstate, "23505");
	close_pool(&f);
}

/* ---- a server that goes away ---- */

/* A row for each that was told OK, none for each that was told "not executed". */
static void check_rows(const struct call *calls, int count)
{
	bool *is_there = mem_zalloc((size_t)count * sizeof(*is_there));
	PGresult *ids = ask("select id from thing");

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

static void a_killed_server_leaves_no_doubt_but_what_was_under_way(void **state)
{
	struct call *calls = mem_zalloc(ROUNDS * A_ROUND * sizeof(*calls));
	struct fixture f;
	(void)state;

	execute("truncate thing");
	open_pool(&f, 2, MAX_WAITING);
	turn_until(&f.worker, is_connected, &f);
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = round * A_ROUND; i < (round + 1) * A_ROUND; i++)
			query_number(&f, &calls[i], (uint64_t)i, DO_PUT, i);
		uv_run(&f.worker.loop, UV_RUN_NOWAIT);
		if (round == ROUNDS / 2)
			real_server_kill(&server);
	}
	turn_until(&f.worker, is_disconnected, &f);
	/* Those that wait now outlive the outage. */
	struct call late = { 0 };
	query_number(&f, &late, PG_ANY_LANE, DO_ECHO, 1);
	real_server_start(&server);
	uint64_t back = clock_mono_ms();
	turn_until(&f.worker, is_connected, &f);
	assert_in_range(clock_mono_ms() - back, 0, 2000);
	turn_until_all_ended(&f);
	assert_int_equal(late.err, OK);
	assert_true(f.ended_with[OK] > 0);
	check_rows(calls, ROUNDS * A_ROUND);
	close_pool(&f);
	mem_free(calls);
}

static void a_server_that_hangs_is_given_up_after_the_timeout(void **state)
{
	struct call sent[10] = { 0 }, waiting[10] = { 0 }, after = { 0 };
	struct fixture f;
	(void)state;

	execute("truncate thing");
	open_pool(&f, 1, MAX_WAITING);
	turn_until(&f.worker, is_connected, &f);
	real_server_pause(&server);
	uint64_t start = clock_mono_ms();
	for (int i = 0; i < 10; i++)
		query_number(&f, &sent[i], PG_ANY_LANE, DO_PUT, i);
	turn_until_all_ended(&f);
	assert_in_range(clock_mono_ms() - start, TIMEOUT_MS, TIMEOUT_MS + 1500);
	turn_until(&f.worker, is_disconnected, &f);
	for (int i = 0; i < 10; i++)
		query_number(&f, &waiting[i], PG_ANY_LANE, DO_PUT, 100 + i);
	turn_until_all_ended(&f);
	assert_int_equal(f.ended_with[ERR_OUTCOME_UNKNOWN], 10);
	assert_int_equal(f.ended_with[ERR_UNAVAILABLE], 10);
	real_server_continue(&server);
	turn_until(&f.worker, is_connected, &f);
	query_number(&f, &after, PG_ANY_LANE, DO_ECHO, 5);
	turn_until_all_ended(&f);
	assert_int_equal(after.err, OK);
	PGresult *ids = ask("select id from thing where id >= 100");
	assert_int_equal(PQntuples(ids), 0);
	PQclear(ids);
	close_pool(&f);
}

static void a_slow_query_does_not_bring_down_its_connection(void **state)
{
	struct call slow[3] = { 0 }, late = { 0 }, before = { 0 }, after = { 0 };
	struct fixture f;
	(void)state;

	open_pool(&f, 1, MAX_WAITING);
	query(&f, &before, 0, DO_NAME_SESSION, NULL);
	turn_until_all_ended(&f);
	for (size_t i = 0; i < ARRAY_LEN(slow); i++)
		query_number(&f, &slow[i], 0, DO_SLEEP, 1);
	query_number(&f, &late, 0, DO_ECHO, 1);
	turn_until_all_ended(&f);
	/* One second, then another one that is too late for its caller, as is all behind it. */
	assert_int_equal(slow[0].err, OK);
	assert_int_equal(slow[1].err, ERR_OUTCOME_UNKNOWN);
	assert_int_equal(late.err, ERR_OUTCOME_UNKNOWN);
	turn_for(&f.worker, 1600);
	query(&f, &after, 0, DO_NAME_SESSION, NULL);
	turn_until_all_ended(&f);
	assert_int_equal(after.err, OK);
	assert_int_equal(after.number, before.number);
	close_pool(&f);
}

static void an_administrator_who_ends_a_session_ends_no_pool(void **state)
{
	struct call sleeping = { 0 }, after = { 0 };
	struct fixture f;
	(void)state;

	open_pool(&f, 1, MAX_WAITING);
	turn_until(&f.worker, is_connected, &f);
	query_number(&f, &sleeping, 0, DO_SLEEP, 1);
	turn_for(&f.worker, 100);
	execute(statements[DO_TERMINATE_OTHERS].sql);
	turn_until_all_ended(&f);
	assert_int_equal(sleeping.err, ERR_OUTCOME_UNKNOWN);
	query_number(&f, &after, 0, DO_ECHO, 3);
	turn_until_all_ended(&f);
	assert_int_equal(after.err, OK);
	close_pool(&f);
}

/* ---- the schema ---- */

static void a_statement_on_a_schema_that_is_not_there_yet_fails_alone_and_works_later(void **state)
{
	struct call put = { 0 }, echo = { 0 }, again = { 0 };
	struct fixture f;
	(void)state;

	execute("alter table thing rename to other");
	open_pool(&f, 1, MAX_WAITING);
	query_number(&f, &put, 0, DO_PUT, 4001);
	query_number(&f, &echo, 0, DO_ECHO, 4);
	turn_until_all_ended(&f);
	assert_int_equal(put.err, ERR_UNAVAILABLE);
	assert_int_equal(echo.number, 4);
	execute("alter table other rename to thing");
	query_number(&f, &again, 0, DO_PUT, 4001);
	turn_until_all_ended(&f);
	assert_int_equal(again.err, OK);
	close_pool(&f);
}

static void a_connection_prepares_a_statement_once(void **state)
{
	struct call calls[3] = { 0 }, counted = { 0 };
	struct fixture f;
	(void)state;

	open_pool(&f, 1, MAX_WAITING);
	for (int i = 0; i < 3; i++)
		query_number(&f, &calls[i], 0, DO_ECHO, i);
	query(&f, &counted, 0, DO_COUNT_PREPARED, NULL);
	turn_until_all_ended(&f);
	for (int i = 0; i < 3; i++)
		assert_int_equal(calls[i].number, i);
	assert_int_equal(counted.number, 2); /* echo, and the one that counts */
	close_pool(&f);
}

static void what_is_over_max_sent_is_not_lost_with_the_connection(void **state)
{
	struct call first = { 0 }, slow = { 0 }, echoes[4] = { 0 };
	struct fixture f;
	(void)state;

	open_pool_with(&f, &(struct pg_options){ .connections = 1, .max_waiting = MAX_WAITING, .max_sent = 2 });
	query_number(&f, &first, 0, DO_ECHO, 0);
	turn_until_all_ended(&f);
	query_number(&f, &slow, 0, DO_SLEEP, 20);
	for (int i = 0; i < 4; i++)
		query_number(&f, &echoes[i], 0, DO_ECHO, i);
	execute(statements[DO_TERMINATE_OTHERS].sql);
	turn_until_all_ended(&f);
	assert_int_not_equal(slow.err, OK);
	assert_int_equal(echoes[0].err, ERR_OUTCOME_UNKNOWN);
	for (int i = 1; i < 4; i++)
		assert_int_equal(echoes[i].err, OK);
	close_pool(&f);
}

static void a_statement_that_takes_too_long_is_cancelled_by_the_server(void **state)
{
	struct call slow = { 0 }, behind = { 0 };
	struct fixture f;
	(void)state;

	open_pool_with(&f, &(struct pg_options){ .connections = 1, .max_waiting = MAX_WAITING, .statement_timeout_ms = 100 });
	query_number(&f, &slow, 0, DO_SLEEP, 20);
	query_number(&f, &behind, 0, DO_ECHO, 7);
	turn_until_all_ended(&f);
	assert_int_equal(slow.err, ERR_UNAVAILABLE);
	assert_string_equal(slow.sqlstate, "57014");
	assert_int_equal(behind.number, 7);
	close_pool(&f);
}

static void a_schema_that_changes_costs_no_more_than_a_new_connection(void **state)
{
	struct call before = { 0 }, during = { 0 }, after = { 0 };
	struct fixture f;
	(void)state;

	open_pool(&f, 1, MAX_WAITING);
	query(&f, &before, 0, DO_ALL_OF_SHAPE, NULL);
	turn_until_all_ended(&f);
	assert_int_equal(before.err, OK);
	execute("alter table shape add column b text");
	query(&f, &during, 0, DO_ALL_OF_SHAPE, NULL);
	turn_until_all_ended(&f);
	assert_int_equal(during.err, ERR_UNAVAILABLE);
	query(&f, &after, 0, DO_ALL_OF_SHAPE, NULL);
	turn_until_all_ended(&f);
	assert_int_equal(after.err, OK);
	close_pool(&f);
}

/* ---- limits and the end ---- */

static void what_is_over_the_limit_is_refused_and_memory_stays_bounded(void **state)
{
	static char body[4000];
	struct call *calls = mem_zalloc(2000 * sizeof(*calls));
	struct fixture f;
	(void)state;

	open_pool(&f, 2, 100);
	turn_until(&f.worker, is_connected, &f);
	real_server_kill(&server);
	turn_until(&f.worker, is_disconnected, &f);
	uint64_t before = allocated_bytes();
	memset(body, 'x', sizeof(body) - 1);
	for (int i = 0; i < 2000; i++) {
		query_text(&f, &calls[i], DO_FAIL, body);
		uv_run(&f.worker.loop, UV_RUN_NOWAIT);
		assert_int_equal(gauge_value(f.waiting), f.given - f.ended);
		assert_in_range(gauge_value(f.waiting), 0, 101);
	}
	assert_in_range(allocated_bytes() - MIN(before, allocated_bytes()), 0, 100 * (sizeof(body) + 2000));
	assert_true(f.ended >= 1800);
	turn_until_all_ended(&f);
	assert_int_equal(f.ended_with[ERR_UNAVAILABLE], 2000);
	close_pool(&f);
	real_server_start(&server);
	mem_free(calls);
}

static void try_again(struct call *call, const PGresult *result)
{
	(void)result;
	if (call->err != OK)
		query_number(call->fixture, call->arg, 0, DO_ECHO, 0);
}

static void closing_ends_everything_once_and_refuses_what_comes_of_it(void **state)
{
	struct call again[20] = { 0 }, calls[20] = { 0 };
	struct fixture f;
	(void)state;

	open_pool(&f, 2, MAX_WAITING);
	turn_until(&f.worker, is_connected, &f);
	for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
		calls[i].then = try_again;
		calls[i].arg = &again[i];
		query_number(&f, &calls[i], i, i % 2 ? DO_SLEEP : DO_ECHO, 1);
	}
	close_pool(&f);
	assert_int_equal(f.ended, 2 * ARRAY_LEN(calls));
	assert_int_equal(again[0].err, ERR_UNAVAILABLE);
}

static void closing_while_connecting_leaves_nothing_behind(void **state)
{
	struct call call = { 0 };
	struct fixture f;
	(void)state;

	open_pool(&f, 4, MAX_WAITING);
	query_number(&f, &call, 0, DO_ECHO, 1);
	close_pool(&f);
	assert_int_equal(call.err, ERR_UNAVAILABLE);
}

static int start_server(void **state)
{
	(void)state;
	real_server_make(&server);
	execute(schema);
	return 0;
}

static int remove_server(void **state)
{
	(void)state;
	real_server_remove(&server);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ten_thousand_pipelined_queries_are_answered_in_order),
		cmocka_unit_test(any_lane_uses_all_connections_and_a_lane_only_one),
		cmocka_unit_test(each_value_comes_back_as_it_was_sent),
		cmocka_unit_test(an_error_fails_its_own_query_only),
		cmocka_unit_test(a_commit_that_fails_is_no_success),
		cmocka_unit_test(a_killed_server_leaves_no_doubt_but_what_was_under_way),
		cmocka_unit_test(a_server_that_hangs_is_given_up_after_the_timeout),
		cmocka_unit_test(a_slow_query_does_not_bring_down_its_connection),
		cmocka_unit_test(an_administrator_who_ends_a_session_ends_no_pool),
		cmocka_unit_test(a_statement_on_a_schema_that_is_not_there_yet_fails_alone_and_works_later),
		cmocka_unit_test(a_connection_prepares_a_statement_once),
		cmocka_unit_test(what_is_over_max_sent_is_not_lost_with_the_connection),
		cmocka_unit_test(a_statement_that_takes_too_long_is_cancelled_by_the_server),
		cmocka_unit_test(a_schema_that_changes_costs_no_more_than_a_new_connection),
		cmocka_unit_test(what_is_over_the_limit_is_refused_and_memory_stays_bounded),
		cmocka_unit_test(closing_ends_everything_once_and_refuses_what_comes_of_it),
		cmocka_unit_test(closing_while_connecting_leaves_nothing_behind),
	};
	return cmocka_run_group_tests(tests, start_server, remove_server);
}
