#include "im/db/migrate.h"

#include <stdio.h>

#include "base/macros.h"
#include "base/telemetry/log.h"
#include "im/db/schema.h"
#include "message/topics.h"
#include "store/kafka/kafka.h"
#include "store/pg/pg.h"
#include "store/pg/pg_conn.h"

/* The numbers name this lock among the database's advisory locks. */
#define LOCK "select pg_advisory_lock(20000, 0)"

#define TOPIC_TIMEOUT_MS 20000

/* Events are small and dropped under pressure: a few consumers are enough. */
#define EVENT_PARTITIONS 8

static err_t migrate_failed(PGconn *conn, PGresult *result, const char *what)
{
	struct str reason = str_from(PQresultErrorMessage(result));

	log_error("migration failed", LOG_TEXT("step", what), LOG_STR("reason", str_cut(&reason, '\n')));
	PQclear(result);
	return PQstatus(conn) == CONNECTION_OK ? ERR_INTERNAL : ERR_UNAVAILABLE;
}

/* Runs one or more statements without parameters. */
static err_t migrate_run(PGconn *conn, const char *sql, const char *what)
{
	PGresult *result = PQexec(conn, sql);
	ExecStatusType status = PQresultStatus(result);

	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
		return migrate_failed(conn, result, what);
	PQclear(result);
	return OK;
}

/* The schema that a database has. */
struct schema_state {
	int64_t version; /* of the tables; 0: none */
	int64_t compatible_from; /* the oldest tables whose im may run on it */
	int64_t had_ours; /* not 0: it has this im's functions, or newer ones in their place */
	char hash[SCHEMA_HASH_LEN + 1]; /* of the functions; "": none */
};

/* Reads the first cell of a statement's answer, "" when there is no row. */
static err_t migrate_read_cell(PGconn *conn, const char *sql, char *out, size_t size)
{
	PGresult *result = PQexec(conn, sql);

	*out = '\0';
	if (PQresultStatus(result) != PGRES_TUPLES_OK)
		return migrate_failed(conn, result, "read the schema's version");
	if (PQntuples(result) > 0)
		snprintf(out, size, "%s", PQgetvalue(result, 0, 0));
	PQclear(result);
	return OK;
}

static err_t migrate_read_number(PGconn *conn, const char *sql, int64_t *out)
{
	char cell[24];

	err_t err = migrate_read_cell(conn, sql, cell, sizeof(cell));
	return !err && !str_to_i64(str_from(cell), out) ? ERR_INTERNAL : err;
}

/* The state is 0 for a database on which an `im --migrate` that records `no` never ran. */
static err_t migrate_read_state(PGconn *conn, struct schema_state *state)
{
	char ours[160];
	int64_t has_record = 0;

	*state = (struct schema_state){ 0 };
	snprintf(ours, sizeof(ours), "select count(*) from schema_functions where hash = '%s'", schema_functions_hash);
	err_t err = migrate_read_number(conn, "select count(*) from pg_attribute where attname = 'no' and "
	                                      "attrelid = to_regclass('schema_functions')",
	                                &has_record);
	if (err || !has_record)
		return err;
	err = migrate_read_number(conn, "select coalesce(max(version), 0) from schema_migration", &state->version);
	if (!err)
		err = migrate_read_number(conn, "select coalesce(max(coalesce(compatible_from, version)), 0) from schema_migration",
		                          &state->compatible_from);
	if (!err)
		err = migrate_read_number(conn, ours, &state->had_ours);
	if (!err)
		err = migrate_read_cell(conn, "select hash from schema_functions order by no desc limit 1", state->hash,
		                        sizeof(state->hash));
	return err;
}

static int64_t migrate_newest(void)
{
	return migrations[migration_count - 1].version;
}

static err_t migrate_refuse_newer(const struct schema_state *state)
{
	if (state->version <= migrate_newest() || state->compatible_from <= migrate_newest())
		return OK;
	log_error("the database has a newer schema than this im knows: run the newer im", LOG_NUM("schema", state->version),
	          LOG_NUM("compatible_from", state->compatible_from), LOG_NUM("known", migrate_newest()));
	return ERR_FAILED_PRECONDITION;
}

static void migrate_note_newer(const struct schema_state *state)
{
	log_info("the database has a newer schema, which serves this im", LOG_NUM("schema", state->version),
	         LOG_NUM("known", migrate_newest()), LOG_TEXT("functions", state->hash));
}

/* Runs `sql` and the statement that records it in one transaction. */
static err_t migrate_apply(PGconn *conn, const char *name, const char *sql, const char *record)
{
	err_t err = migrate_run(conn, "begin", "begin");
	if (!err)
		err = migrate_run(conn, sql, name);
	if (!err)
		err = migrate_run(conn, record, record);
	if (!err)
		err = migrate_run(conn, "commit", name);
	if (!err)
		log_info("migration applied", LOG_TEXT("migration", name));
	return err;
}

/*
 * Replaces all functions in one transaction, so that no client finds one missing. When this im's functions were there before,
 * they come back, and the record of the newer ones goes: an im that needs those has to migrate again.
 */
static err_t migrate_apply_functions(PGconn *conn)
{
	char record[384];
	struct buf sql = { 0 };

	snprintf(record, sizeof(record),
	         "delete from schema_functions where no >= (select min(no) from schema_functions where hash = '%s');"
	         "insert into schema_functions (hash) values ('%s')",
	         schema_functions_hash, schema_functions_hash);
	buf_append_text(&sql, "drop schema if exists fn cascade;\n");
	buf_append_text(&sql, schema_functions);
	err_t err = migrate_apply(conn, "functions", buf_text(&sql), record);
	buf_release(&sql);
	return err;
}

/* `applied`: how many steps were missing. */
static err_t migrate_apply_missing(PGconn *conn, size_t *applied)
{
	struct schema_state state;
	char record[192];

	err_t err = migrate_run(conn, "set client_min_messages = warning", "connect");
	if (!err)
		err = migrate_run(conn, LOCK, "wait for other migrations");
	if (!err)
		err = migrate_run(
			conn,
			"create table if not exists schema_migration (version integer primary key, name text not null, "
			"applied_at timestamptz not null default now());"
			"create table if not exists schema_functions (hash text not null, "
			"applied_at timestamptz not null default now());"
			"alter table schema_migration add column if not exists compatible_from integer;"
			"alter table schema_functions add column if not exists no bigint generated always as identity",
			"create schema_migration and schema_functions");
	if (!err)
		err = migrate_read_state(conn, &state);
	if (!err)
		err = migrate_refuse_newer(&state);
	if (!err && state.version > migrate_newest()) {
		migrate_note_newer(&state);
		return OK;
	}
	for (size_t i = 0; i < migration_count && !err; i++) {
		if (migrations[i].version <= state.version)
			continue;
		snprintf(record, sizeof(record),
		         "insert into schema_migration (version, name, compatible_from) values (%d, '%s', %d)",
		         migrations[i].version, migrations[i].name, migrations[i].compatible_from);
		err = migrate_apply(conn, migrations[i].name, migrations[i].sql, record);
		*applied += !err;
	}
	if (!err && strcmp(state.hash, schema_functions_hash) != 0) {
		err = migrate_apply_functions(conn);
		*applied += !err;
	}
	return err;
}

static err_t migrate_create_topics(const struct im_config *config)
{
	const struct kafka_topic topics[] = {
		{ .name = TOPIC_MESSAGE, .partitions = (int)config->kafka_partitions,
		  .replication = (int)config->kafka_replication },
		{ .name = TOPIC_DEAD, .partitions = 1, .replication = (int)config->kafka_replication,
		  .config = "retention.ms=1209600000" },
		{ .name = TOPIC_EVENT, .partitions = MIN(EVENT_PARTITIONS, (int)config->kafka_partitions),
		  .replication = (int)config->kafka_replication, .config = "retention.ms=300000" },
		{ .name = TOPIC_PROBE, .partitions = 1, .replication = (int)config->kafka_replication,
		  .config = "retention.ms=60000" },
	};

	err_t err = kafka_ensure_topics(config->kafka_brokers, topics, ARRAY_LEN(topics), TOPIC_TIMEOUT_MS);
	if (err)
		log_error("kafka's topics could not be created", LOG_TEXT("brokers", config->kafka_brokers), LOG_ERR(err));
	return err;
}

err_t migrate(const struct im_config *config)
{
	PGconn *conn = pg_connect_blocking(config->pg_uri);
	size_t applied = 0;

	if (!conn)
		return ERR_UNAVAILABLE;
	err_t err = migrate_apply_missing(conn, &applied); /* the lock ends with the connection */
	PQfinish(conn);
	if (!err)
		err = migrate_create_topics(config);
	if (!err)
		log_info("schema and topics are up to date", LOG_NUM("schema", migrate_newest()), LOG_NUM("applied", applied));
	return err;
}

err_t migrate_check(const char *pg_uri)
{
	PGconn *conn = pg_connect_blocking(pg_uri);
	struct schema_state state;

	if (!conn)
		return ERR_UNAVAILABLE;
	err_t err = migrate_read_state(conn, &state);
	PQfinish(conn);
	if (!err)
		err = migrate_refuse_newer(&state);
	if (err)
		return err;
	if (state.version < migrate_newest()) {
		log_error("the database's schema is older than this im: run im --migrate first",
		          LOG_NUM("schema", state.version), LOG_NUM("known", migrate_newest()));
		return ERR_FAILED_PRECONDITION;
	}
	if (state.version == migrate_newest() && !state.had_ours) {
		log_error("the database's functions are those of another im: run im --migrate first",
		          LOG_TEXT("functions", state.hash), LOG_TEXT("known", schema_functions_hash));
		return ERR_FAILED_PRECONDITION;
	}
	if (strcmp(state.hash, schema_functions_hash) != 0)
		migrate_note_newer(&state);
	return OK;
}
