#include "im/db/migrate.h"

#include <stdio.h>

#include "base/macros.h"
#include "base/telemetry/log.h"
#include "im/db/migrations.h"
#include "message/topics.h"
#include "store/kafka/kafka.h"
#include "store/pg/pg.h"
#include "store/pg/pg_conn.h"

/* Among all advisory locks of this database. */
#define LOCK "select pg_advisory_lock(20000, 0)"

#define TOPIC_TIMEOUT_MS 20000

/* Events are small and dropped under pressure: a few consumers are enough. */
#define EVENT_PARTITIONS 8

static err_t refused(PGconn *conn, PGresult *result, const char *what)
{
	struct str reason = str_from(PQresultErrorMessage(result));

	log_error("migration failed", LOG_TEXT("step", what), LOG_STR("reason", str_cut(&reason, '\n')));
	PQclear(result);
	return PQstatus(conn) == CONNECTION_OK ? ERR_INTERNAL : ERR_UNAVAILABLE;
}

/* One or more statements without parameters. */
static err_t run(PGconn *conn, const char *sql, const char *what)
{
	PGresult *result = PQexec(conn, sql);
	ExecStatusType status = PQresultStatus(result);

	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
		return refused(conn, result, what);
	PQclear(result);
	return OK;
}

/* 0 for a database without any. */
static err_t read_version(PGconn *conn, int64_t *version)
{
	PGresult *result = PQexec(conn, "select to_regclass('schema_migration') is not null");

	*version = 0;
	if (PQresultStatus(result) != PGRES_TUPLES_OK)
		return refused(conn, result, "read the schema's version");
	bool has_table = *PQgetvalue(result, 0, 0) == 't';
	PQclear(result);
	if (!has_table)
		return OK;
	result = PQexec(conn, "select coalesce(max(version), 0) from schema_migration");
	if (PQresultStatus(result) != PGRES_TUPLES_OK || !str_to_i64(str_from(PQgetvalue(result, 0, 0)), version))
		return refused(conn, result, "read the schema's version");
	PQclear(result);
	return OK;
}

static int64_t newest(void)
{
	return migrations[migration_count - 1].version;
}

static err_t refuse_newer(int64_t version)
{
	if (version <= newest())
		return OK;
	log_error("the database has a newer schema than this im knows: run the newer im",
	          LOG_NUM("schema", version), LOG_NUM("known", newest()));
	return ERR_FAILED_PRECONDITION;
}

static err_t apply(PGconn *conn, const struct migration *migration)
{
	char record[160];

	snprintf(record, sizeof(record), "insert into schema_migration (version, name) values (%d, '%s')",
	         migration->version, migration->name);
	err_t err = run(conn, "begin", "begin");
	if (!err)
		err = run(conn, migration->sql, migration->name);
	if (!err)
		err = run(conn, record, record);
	if (!err)
		err = run(conn, "commit", migration->name);
	if (!err)
		log_info("migration applied", LOG_TEXT("migration", migration->name));
	return err;
}

static err_t apply_missing(PGconn *conn)
{
	int64_t version;

	err_t err = run(conn, "set client_min_messages = warning", "connect");
	if (!err)
		err = run(conn, LOCK, "wait for other migrations");
	if (!err)
		err = run(conn, "create table if not exists schema_migration (version integer primary key, name text not null, "
		                "applied_at timestamptz not null default now())",
		          "create schema_migration");
	if (!err)
		err = read_version(conn, &version);
	if (!err)
		err = refuse_newer(version);
	for (size_t i = 0; i < migration_count && !err; i++) {
		if (migrations[i].version > version)
			err = apply(conn, &migrations[i]);
	}
	return err;
}

static err_t create_topics(const struct im_config *config)
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
	err_t err = apply_missing(conn); /* the lock ends with the connection */
	PQfinish(conn);
	if (!err)
		err = create_topics(config);
	if (!err)
		log_info("schema and topics are up to date", LOG_NUM("schema", newest()));
	return err;
}

err_t migrate_check(const char *pg_uri)
{
	PGconn *conn = pg_connect_blocking(pg_uri);
	int64_t version;

	if (!conn)
		return ERR_UNAVAILABLE;
	err_t err = read_version(conn, &version);
	PQfinish(conn);
	if (!err)
		err = refuse_newer(version);
	if (!err && version < newest()) {
		log_error("the database's schema is older than this im: run im --migrate first", LOG_NUM("schema", version),
		          LOG_NUM("known", newest()));
		err = ERR_FAILED_PRECONDITION;
	}
	return err;
}
