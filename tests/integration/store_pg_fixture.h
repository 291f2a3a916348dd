#ifndef SKEIN_TESTS_STORE_PG_FIXTURE_H
#define SKEIN_TESTS_STORE_PG_FIXTURE_H

#include "servers.h"
#include "store/pg/pg.h"
#include "store/pg/pg_conn.h"
#include "store_fixture.h"

/* A PostgreSQL server of the program's own, a pool on a worker of its own, and queries that must end exactly once. */

#define POOL_TIMEOUT_MS 1500
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

extern const struct pg_statement pool_statements[STATEMENTS];
extern struct real_server pool_server;

/* The setup and teardown of a whole program: the server, with the tables and the function of the statements. */
int pool_make_server(void **state);
int pool_remove_server(void **state);

struct pool {
	struct worker worker;
	struct pg *pg;
	struct gauge *waiting;
	unsigned given, ended;
	unsigned ended_with[ERR_COUNT];
	bool is_in_call;
};

struct pool_call {
	struct pool *pool;
	bool has_ended;
	err_t err;
	int64_t number; /* what the first row's first column holds */
	unsigned turn; /* how many calls ended before it */
	char sqlstate[6];
	void (*then)(struct pool_call *call, const PGresult *result);
	void *arg;
};

/* With the server's address, the gauge and the timeout of the fixture. */
void pool_open_with(struct pool *pool, const struct pg_options *chosen);
void pool_open(struct pool *pool, unsigned connections, unsigned max_waiting);
void pool_close(struct pool *pool);

/* Does not wait: pool_turn(). */
void pool_query(struct pool *pool, struct pool_call *call, uint64_t lane, unsigned statement, struct pg_params *params);
void pool_query_number(struct pool *pool, struct pool_call *call, uint64_t lane, unsigned statement, int64_t number);
void pool_query_text(struct pool *pool, struct pool_call *call, unsigned statement, const char *text);

/* Turns the loop until all queries have ended. */
void pool_turn(struct pool *pool);

/* For turn_until(). */
bool pool_is_connected(void *arg);
bool pool_is_disconnected(void *arg);

/* Statements beside the pool, on a connection of their own. The test fails if they do. */
void pool_execute(const char *sql);
PGresult *pool_ask(const char *sql);

#endif
