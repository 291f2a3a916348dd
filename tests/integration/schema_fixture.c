#include "schema_fixture.h"

/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/pg/pg.h"

struct real_server schema_server = { .kind = REAL_POSTGRES };
PGconn *db;

/* ---- asking ---- */

PGconn *open_connection(void)
{
	const char *const keywords[] = { "dbname", "options", NULL };
	const char *const values[] = { schema_server.uri, PG_BY_INDEX, NULL }; /* as im's sessions */
	PGconn *conn = PQconnectdbParams(keywords, values, 1);

	assert_int_equal(PQstatus(conn), CONNECTION_OK);
	return conn;
}

PGresult *ask_on(PGconn *conn, const char *sql)
{
	PGresult *result = PQexec(conn, sql);
	ExecStatusType status = PQresultStatus(result);

	if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
		fail_msg("%s: %s", sql, PQerrorMessage(conn));
	return result;
}

void run_sql(const char *sql)
{
	PQclear(ask_on(db, sql));
}

void run_sqlf(const char *format, ...)
{
	char sql[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(sql, sizeof(sql), format, args);
	va_end(args);
	run_sql(sql);
}

long ask_number(const char *sql)
{
	PGresult *result = ask_on(db, sql);
	long number = strtol(PQgetvalue(result, 0, 0), NULL, 10);

	PQclear(result);
	return number;
}

static void assert_cell(const PGresult *result, const char *sql, const char *expected)
{
	const char *found = PQntuples(result) ? PQgetvalue(result, 0, 0) : "(no row)";

	if (strcmp(found, expected) != 0)
		fail_msg("%s:\n  %s\n  expected %s", sql, found, expected);
}

void assert_text(const char *sql, const char *expected)
{
	PGresult *result = ask_on(db, sql);

	assert_cell(result, sql, expected);
	PQclear(result);
}

void await_lock_wait(PGconn *conn)
{
	char sql[160];

	snprintf(sql, sizeof(sql), "select count(*) from pg_stat_activity where pid = %d and wait_event_type = 'Lock'",
	         PQbackendPID(conn));
	while (ask_number(sql) == 0)
		;
}

void ask_and_wait(PGconn *conn, const char *sql)
{
	assert_int_equal(PQsendQuery(conn, sql), 1);
	await_lock_wait(conn);
}

void assert_answer(PGconn *conn, const char *expected)
{
	PGresult *result = PQgetResult(conn);

	if (PQresultStatus(result) != PGRES_TUPLES_OK)
		fail_msg("%s", PQerrorMessage(conn));
	assert_cell(result, "the answer", expected);
	PQclear(result);
	assert_null(PQgetResult(conn));
}

void assert_race(const char *first_sql, const char *second_sql, const char *second_answer)
{
	PGconn *first = open_connection(), *second = open_connection();

	PQclear(ask_on(first, "begin"));
	PQclear(ask_on(first, first_sql));
	ask_and_wait(second, second_sql);
	PQclear(ask_on(first, "commit"));
	assert_answer(second, second_answer);
	PQfinish(first);
	PQfinish(second);
}

/* ---- one call of fn.im_send() ---- */

static void put_literal(struct buf *sql, const char *text)
{
	if (text)
		buf_printf(sql, "'%s'", text); /* these tests send no quotes */
	else
		buf_append_text(sql, "null");
}

static void put_texts(struct buf *sql, const struct sent *sends, unsigned count, size_t member, const char *fallback)
{
	buf_append_text(sql, ", array[");
	for (unsigned i = 0; i < count; i++) {
		buf_append_text(sql, i ? "," : "");
		const char *text = *(const char *const *)((const char *)&sends[i] + member);
		put_literal(sql, text ? text : fallback);
	}
	buf_append_text(sql, "]::text[]");
}

static void put_numbers(struct buf *sql, const struct sent *sends, unsigned count, size_t member)
{
	buf_append_text(sql, ", array[");
	for (unsigned i = 0; i < count; i++)
		buf_printf(sql, "%snullif(%ld, 0)", i ? "," : "", *(const long *)((const char *)&sends[i] + member));
	buf_append_text(sql, "]::bigint[]");
}

/* The conversations of a batch, each once and in order, and the conversation of each send, as send_entry.c does it. */
static void put_conversations(struct buf *sql, const struct sent *sends, unsigned count)
{
	struct buf names = { 0 };

	for (unsigned i = 0; i < count; i++) {
		buf_append_text(&names, i ? "," : "");
		put_literal(&names, sends[i].conversation);
	}
	buf_printf(sql, "(select array_agg(distinct c collate \"C\") from unnest(array[%s]) c)", buf_text(&names));
	buf_printf(sql, ", (select array_agg((select count(distinct d) from unnest(array[%s]) d where d collate \"C\" <= c)"
	                " order by o)::integer[] from unnest(array[%s]) with ordinality u (c, o))",
	           buf_text(&names), buf_text(&names));
	buf_release(&names);
}

void write_call(struct buf *sql, int node, int epoch, const struct sent *sends, unsigned count)
{
	buf_printf(sql, "select status, msg_id, seq, duplicate, member_version from fn.im_send(%d, %d, 1000, ", node, epoch);
	put_conversations(sql, sends, count);
	put_texts(sql, sends, count, offsetof(struct sent, sender), "alice");
	put_texts(sql, sends, count, offsetof(struct sent, user), NULL);
	put_texts(sql, sends, count, offsetof(struct sent, group), NULL);
	put_texts(sql, sends, count, offsetof(struct sent, key), "k");
	put_numbers(sql, sends, count, offsetof(struct sent, msg_id));
	put_texts(sql, sends, count, offsetof(struct sent, type), "text");
	put_texts(sql, sends, count, offsetof(struct sent, body), "{\"text\":\"hi\"}");
	put_numbers(sql, sends, count, offsetof(struct sent, reply_to));
	put_texts(sql, sends, count, offsetof(struct sent, mentions), NULL);
	buf_append_text(sql, ") order by ord");
}

PGresult *send_on(PGconn *conn, int node, int epoch, const struct sent *sends, unsigned count)
{
	struct buf sql = { 0 };

	write_call(&sql, node, epoch, sends, count);
	PGresult *result = ask_on(conn, buf_text(&sql));
	assert_int_equal(PQntuples(result), count);
	buf_release(&sql);
	return result;
}

PGresult *send_all(const struct sent *sends, unsigned count)
{
	return send_on(db, NODE, EPOCH, sends, count);
}

void check(struct sent send, const char *status)
{
	PGresult *result = send_all(&send, 1);

	if (strcmp(PQgetvalue(result, 0, 0), status) != 0)
		fail_msg("%ld to %s: %s, not %s", send.msg_id, send.conversation, PQgetvalue(result, 0, 0), status);
	PQclear(result);
}

/* ---- a fresh database for each test ---- */

int reset(void **state)
{
	(void)state;

	run_sql("truncate account, chat_group, group_member, conversation, message, message_change,"
	        " member_change, node_lease, direct_member, direct_rest, reaction, reaction_count, block, expiring_body, expiring_message,"
	        " history_floor");
	run_sql("insert into account (uid, name) select u, u from unnest(array['alice', 'bob', 'carol', 'dave']) u");
	run_sql("insert into node_lease values (7, 3, 'test', now() + interval '1 hour', 0)");
	run_sql("select fn.im_group_create('team', 'Team', 'alice', 'invite', 'all', array['bob'])");
	return 0;
}

static void apply_migration(const char *path)
{
	FILE *file = fopen(path, "r");
	struct buf sql = { 0 };
	char line[1024];

	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		buf_append_text(&sql, line);
	(void)fclose(file);
	run_sql(buf_text(&sql));
	buf_release(&sql);
}

/* Run from the checkout, as all tests are. */
static void apply_migrations(void)
{
	glob_t files;

	assert_int_equal(glob("deploy/schema/tables/[0-9]*.sql", 0, NULL, &files), 0);
	assert_int_equal(glob("deploy/schema/functions/[0-9]*.sql", GLOB_APPEND, NULL, &files), 0);
	for (size_t i = 0; i < files.gl_pathc; i++)
		apply_migration(files.gl_pathv[i]);
	globfree(&files);
}

int start_server(void **state)
{
	(void)state;

	real_server_make(&schema_server);
	db = open_connection();
	apply_migrations();
	if (getenv("SABOTAGE_SQL")) /* set by tests/chaos/selfcheck, to see that these tests notice */
		apply_migration(getenv("SABOTAGE_SQL"));
	return 0;
}

int stop_server(void **state)
{
	(void)state;

	PQfinish(db);
	real_server_remove(&schema_server);
	return 0;
}
