#include "store_pg_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

const struct pg_statement pool_statements[STATEMENTS] = {
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

static const char tables[] =
	"create table thing (id bigint primary key);"
	"create table late (id bigint unique deferrable initially deferred);"
	"create table shape (a bigint);"
	"create function fail(state text) returns void language plpgsql as"
	" $$ begin raise exception 'no' using errcode = state; end $$;";

struct real_server pool_server = { .kind = REAL_POSTGRES, .extra = { "fsync", "off" } };

static void on_done(void *arg, err_t err, const PGresult *result)
{
	struct pool_call *call = arg;

	assert_false(call->has_ended);
	assert_false(call->pool->is_in_call);
	call->has_ended = true;
	call->err = err;
	call->turn = call->pool->ended++;
	call->pool->ended_with[err]++;
	if (err == OK && PQntuples(result) > 0 && PQgetlength(result, 0, 0) == 8)
		call->number = pg_i64(result, 0, 0);
	assert_true(str_copy(call->sqlstate, sizeof(call->sqlstate), str_from(pg_sqlstate(result))));
	if (call->then)
		call->then(call, result);
}

void pool_query(struct pool *pool, struct pool_call *call, uint64_t lane, unsigned statement, struct pg_params *params)
{
	call->pool = pool;
	pool->given++;
	pool->is_in_call = true;
	pg_query(pool->pg, lane, &pool_statements[statement], params, on_done, call);
	pool->is_in_call = false;
}

void pool_query_number(struct pool *pool, struct pool_call *call, uint64_t lane, unsigned statement, int64_t number)
{
	struct pg_params params = { 0 };

	pg_put_i64(&params, number);
	pool_query(pool, call, lane, statement, &params);
	assert_null(params.bytes.ptr);
}

void pool_query_text(struct pool *pool, struct pool_call *call, unsigned statement, const char *text)
{
	struct pg_params params = { 0 };

	pg_put_text(&params, str_from(text));
	pool_query(pool, call, PG_ANY_LANE, statement, &params);
}

void pool_turn(struct pool *pool)
{
	turn_until_count(&pool->worker, &pool->ended, pool->given);
	assert_int_equal(gauge_value(pool->waiting), 0);
}

bool pool_is_connected(void *arg)
{
	return pg_is_connected(((struct pool *)arg)->pg);
}

bool pool_is_disconnected(void *arg)
{
	return !pool_is_connected(arg);
}

void pool_open_with(struct pool *pool, const struct pg_options *chosen)
{
	struct pg_options options = *chosen;

	*pool = (struct pool){ .waiting = metrics_gauge("test_pg_waiting", "Queries that are not answered.", NULL) };
	options.uri = pool_server.uri;
	options.waiting_gauge = pool->waiting;
	options.timeout_ms = POOL_TIMEOUT_MS;
	assert_int_equal(worker_init(&pool->worker, "test"), OK);
	assert_int_equal(pg_new(&pool->pg, &pool->worker, &options), OK);
}

void pool_open(struct pool *pool, unsigned connections, unsigned max_waiting)
{
	pool_open_with(pool, &(struct pg_options){ .connections = connections, .max_waiting = max_waiting });
}

void pool_close(struct pool *pool)
{
	bool is_closed = false;

	pg_close(pool->pg, note_closed, &is_closed);
	assert_false(is_closed);
	turn_until_true(&pool->worker, &is_closed);
	assert_int_equal(pool->ended, pool->given);
	end_worker(&pool->worker);
}

void pool_execute(const char *sql)
{
	PGconn *conn = pg_connect_blocking(pool_server.uri);

	assert_non_null(conn);
	PGresult *result = PQexec(conn, sql);
	if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK)
		fail_msg("%s: %s", sql, PQerrorMessage(conn));
	PQclear(result);
	PQfinish(conn);
}

PGresult *pool_ask(const char *sql)
{
	PGconn *conn = pg_connect_blocking(pool_server.uri);

	assert_non_null(conn);
	PGresult *result = PQexecParams(conn, sql, 0, NULL, NULL, NULL, NULL, 1);
	assert_int_equal(PQresultStatus(result), PGRES_TUPLES_OK);
	PQfinish(conn);
	return result;
}

int pool_make_server(void **state)
{
	(void)state;
	real_server_make(&pool_server);
	pool_execute(tables);
	return 0;
}

int pool_remove_server(void **state)
{
	(void)state;
	real_server_remove(&pool_server);
	return 0;
}
