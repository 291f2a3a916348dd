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

/* The state is 0 for a database on which `im --migrate` never ran. */
static err_t migrate_read_state(PGconn *conn, struct schema_state *state)
{
	char has_record[8], version[24];

	*state = (struct schema_state){ 0 };
	err_t err = migrate_read_cell(conn, "select to_regclass('schema_migration') is not null and "
	                                    "to_regclass('schema_functions') is not null",
	                              has_record, sizeof(has_record));
	if (err || *has_record != 't')
		return err;
	err = migrate_read_cell(conn, "select coalesce(max(version), 0) from schema_migration", version, sizeof(version));
	if (!err && !str_to_i64(str_from(version), &state->version))
		err = ERR_INTERNAL;
	if (!err)
		err = migrate_read_cell(conn, "select hash from schema_functions", state->hash, sizeof(state->hash));
	return err;
}

static int64_t migrate_newest(void)
{
	return migrations[migration_count - 1].version;
}

static err_t migrate_refuse_newer(int64_t version)
{
	if (version <= migrate_newest())
		return OK;
	log_error("the database has a newer schema than this im knows: run the newer im",
	          LOG_NUM("schema", version), LOG_NUM("known", migrate_newest()));
	return ERR_FAILED_PRECONDITION;
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

/* Replaces all functions in one transaction, so that no client finds one missing. */
static err_t migrate_apply_functions(PGconn *conn)
{
	char record[160];
	struct buf sql = { 0 };

	snprintf(record, sizeof(record), "delete from schema_functions; insert into schema_functions (hash) values ('%s')",
	         schema_functions_hash);
	buf_append_text(&sql, "drop schema if exists fn cascade;\n");
	buf_append_text(&sql, schema_functions);
	err_t err = migrate_apply(conn, "functions", buf_text(&sql), record);
	buf_release(&sql);
	return err;
}

static err_t migrate_apply_missing(PGconn *conn)
{
	struct schema_state state;
	char record[160];

	err_t err = migrate_run(conn, "set client_min_messages = warning", "connect");
	if (!err)
		err = migrate_run(conn, LOCK, "wait for other migrations");
	if (!err)
		err = migrate_run(
			conn,
			"create table if not exists schema_migration (version integer primary key, name text not null, "
			"applied_at timestamptz not null default now());"
			"create table if not exists schema_functions (hash text not null, "
			"applied_at timestamptz not null default now())",
			"create schema_migration and schema_functions");
	if (!err)
		err = migrate_read_state(conn, &state);
	if (!err)
		err = migrate_refuse_newer(state.version);
	for (size_t i = 0; i < migration_count && !err; i++) {
		if (migrations[i].version <= state.version)
			continue;
		snprintf(record, sizeof(record), "insert into schema_migration (version, name) values (%d, '%s')",
		         migrations[i].version, migrations[i].name);
		err = migrate_apply(conn, migrations[i].name, migrations[i].sql, record);
	}
	if (!err && strcmp(state.hash, schema_functions_hash) != 0)
		err = migrate_apply_functions(conn);
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

	if (!conn)
		return ERR_UNAVAILABLE;
	err_t err = migrate_apply_missing(conn); /* the lock ends with the connection */
	PQfinish(conn);
	if (!err)
		err = migrate_create_topics(config);
	if (!err)
		log_info("schema and topics are up to date", LOG_NUM("schema", migrate_newest()));
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
		err = migrate_refuse_newer(state.version);
	if (err)
		return err;
	if (state.version < migrate_newest()) {
		log_error("the database's schema is older than this im: run im --migrate first",
		          LOG_NUM("schema", state.version), LOG_NUM("known", migrate_newest()));
		return ERR_FAILED_PRECONDITION;
	}
	if (strcmp(state.hash, schema_functions_hash) != 0) {
		log_error("the database's functions are those of another im: run im --migrate first",
		          LOG_TEXT("functions", state.hash), LOG_TEXT("known", schema_functions_hash));
		return ERR_FAILED_PRECONDITION;
	}
	return OK;
}
