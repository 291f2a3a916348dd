#include "store/pg/pg.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "store/pg/pg_conn.h"
#include "store/pg/pg_result.h"
#include "store/requests.h"

/*
 * A query's rows are kept until its sync was answered: only then is it committed, and only then may the caller
 * believe it. libpq 15 writes with every sync, so each query is a packet of its own; what the socket does not take
 * holds back the queries behind it, where they can still end as "not executed".
 *
 * The first query of a statement on a connection carries the PREPARE in front of it, under the same sync. A number for each
 * statement (pg_number_of) indexes the connections' lists of what they have prepared.
 */

#define PG_STATEMENTS_MAX 256 /* a power of two; the table is never more than half full */

struct pg_lane {
	struct pg *pg;
	struct pg_conn conn;
	struct pipeline pipeline;
	PGresult *result; /* of the oldest query, until its sync */
	bool is_prepared[PG_STATEMENTS_MAX];
	bool is_stale; /* nothing more goes out on it; it is made anew when all is answered */
};

struct pg {
	struct worker *worker;
	struct pg_options options;
	char *uri, *session; /* the settings of each connection */
	const char *keywords[3], *values[3];
	struct requests requests;
	struct pipeline homeless; /* of any lane, while no connection is ready */
	struct pg_lane *lanes;
	const struct pg_statement *statements[PG_STATEMENTS_MAX]; /* an open hash table by address */
	unsigned statement_count;
	bool has_requests_handle; /* on the loop */
	bool is_closing;
	void (*closed)(void *arg);
	void *closed_arg;
};

struct query {
	struct request request;
	const struct pg_statement *statement;
	unsigned number; /* of the statement */
	bool prepares; /* the answer to its PREPARE comes first */
	struct pg_params params;
	pg_done done;
	void *arg;
	const PGresult *result; /* during `done` */
};

static void pg_send_waiting(struct pg_lane *lane);

static struct query *pg_query_of(struct request *request)
{
	return container_of(request, struct query, request);
}

/* ---- statements ---- */

static unsigned pg_number_of(struct pg *pg, const struct pg_statement *statement)
{
	unsigned at = (unsigned)(((uintptr_t)statement >> 4) * 0x9e3779b1u) % PG_STATEMENTS_MAX;

	while (pg->statements[at] && pg->statements[at] != statement)
		at = (at + 1) % PG_STATEMENTS_MAX;
	if (!pg->statements[at]) {
		assert(pg->statement_count < PG_STATEMENTS_MAX / 2);
		pg->statements[at] = statement;
		pg->statement_count++;
	}
	return at;
}

/* ---- queries ---- */

static void pg_end_query(struct request *request, err_t err)
{
	struct query *query = pg_query_of(request);

	query->done(query->arg, err, query->result);
}

static void pg_free_query(struct request *request)
{
	struct query *query = pg_query_of(request);

	pg_params_release(&query->params);
	mem_free(query);
}

static bool pg_is_ready(const struct pg_lane *lane)
{
	return lane->conn.state == PG_CONN_READY && !lane->is_stale;
}

static struct pg_lane *pg_shortest_queue(struct pg *pg)
{
	struct pg_lane *shortest = NULL;

	for (unsigned i = 0; i < pg->options.connections; i++) {
		struct pg_lane *lane = &pg->lanes[i];
		if (pg_is_ready(lane) && (!shortest || lane->pipeline.len < shortest->pipeline.len))
			shortest = lane;
	}
	return shortest;
}

void pg_query(struct pg *pg, uint64_t number, const struct pg_statement *statement, struct pg_params *params, pg_done done,
              void *arg)
{
	struct query *query = MEM_NEW(struct query);

	query->statement = statement;
	query->number = pg_number_of(pg, statement);
	query->done = done;
	query->arg = arg;
	if (params) {
		query->params = *params;
		params->bytes = (struct buf){ 0 };
		params->count = 0;
	}
	if (!requests_admit(&pg->requests, &query->request))
		return;
	if (pg->is_closing) {
		requests_refuse(&pg->requests, &query->request);
		return;
	}
	struct pg_lane *lane = number == PG_ANY_LANE ? pg_shortest_queue(pg) : &pg->lanes[number % pg->options.connections];
	pipeline_push(lane ? &lane->pipeline : &pg->homeless, &query->request);
	if (lane)
		pg_send_waiting(lane);
}

/* ---- sending ---- */

static bool pg_put_query(struct pg_lane *lane, struct query *query)
{
	const struct pg_statement *statement = query->statement;
	const struct pg_params *params = &query->params;
	const char *values[PG_MAX_PARAMS];
	int lengths[PG_MAX_PARAMS], formats[PG_MAX_PARAMS];

	for (int i = 0; i < params->count; i++) {
		bool is_null = params->params[i].len < 0;
		/* An empty text is a pointer to nothing, not no pointer. */
		values[i] = is_null ? NULL : params->bytes.ptr ? params->bytes.ptr + params->params[i].at : "";
		lengths[i] = is_null ? 0 : params->params[i].len;
		formats[i] = 1;
	}
	query->prepares = !lane->is_prepared[query->number];
	if (query->prepares && !PQsendPrepare(lane->conn.pq, statement->name, statement->sql, 0, NULL))
		return false;
	lane->is_prepared[query->number] = true;
	return PQsendQueryPrepared(lane->conn.pq, statement->name, params->count, values, lengths, formats, 1) &&
	       PQpipelineSync(lane->conn.pq);
}

/* Does not end any query: pg_query() comes through here. */
static void pg_send_waiting(struct pg_lane *lane)
{
	unsigned max_sent = lane->pg->options.max_sent;
	struct request *request;

	while (pg_is_ready(lane) && !lane->conn.is_blocked && (!max_sent || lane->pipeline.sent_len < max_sent) &&
	       (request = pipeline_next(&lane->pipeline))) {
		struct query *query = pg_query_of(request);
		if (!pg_put_query(lane, query)) {
			lane->is_stale = true;
			pg_conn_break(&lane->conn);
			return;
		}
		pg_params_release(&query->params);
		pipeline_mark_sent(&lane->pipeline, request);
		pg_conn_flush(&lane->conn);
	}
}

/* ---- answers ---- */

static void pg_answer(struct pg_lane *lane)
{
	struct pg *pg = lane->pg;
	struct request *request = pipeline_take_answered(&lane->pipeline);
	struct query *query = pg_query_of(request);
	PGresult *result = lane->result;
	bool is_stale;

	lane->result = NULL;
	if (query->prepares)
		lane->is_prepared[query->number] = false;
	query->result = result;
	err_t err = pg_classify(result, query->statement->name, &is_stale);
	lane->is_stale |= is_stale;
	requests_end(&pg->requests, request, err);
	pg_free_query(request);
	PQclear(result);
}

static bool pg_is_error(const PGresult *result)
{
	return PQresultStatus(result) == PGRES_FATAL_ERROR;
}

/* Of the results before a sync the first counts, or an error that came after it. The answer to a PREPARE that went well is none. */
static void pg_keep(struct pg_lane *lane, PGresult *result)
{
	struct query *oldest = pg_query_of(pipeline_oldest(&lane->pipeline));

	if (oldest->prepares && !lane->result && !pg_is_error(result)) {
		oldest->prepares = false;
		PQclear(result);
	} else if (!lane->result || (pg_is_error(result) && !pg_is_error(lane->result))) {
		PQclear(lane->result);
		lane->result = result;
	} else {
		PQclear(result);
	}
}

static void pg_on_readable(struct pg_conn *conn)
{
	struct pg_lane *lane = container_of(conn, struct pg_lane, conn);

	while (conn->state == PG_CONN_READY && pipeline_oldest(&lane->pipeline) && !PQisBusy(conn->pq) &&
	       PQstatus(conn->pq) == CONNECTION_OK) {
		PGresult *result = PQgetResult(conn->pq);
		if (PQresultStatus(result) == PGRES_PIPELINE_SYNC) {
			PQclear(result);
			pg_answer(lane);
		} else if (result) {
			pg_keep(lane, result);
		}
	}
	if (conn->state != PG_CONN_READY)
		return;
	if (lane->is_stale && !pipeline_oldest(&lane->pipeline))
		pg_conn_lose(conn, "connection to postgresql is made anew", STR("its statements are out of date"));
	else
		pg_send_waiting(lane); /* max_sent has room again */
}

/* ---- up and down ---- */

static void pg_on_ready(struct pg_conn *conn)
{
	struct pg_lane *lane = container_of(conn, struct pg_lane, conn);

	pipeline_move_waiting(&lane->pipeline, &lane->pg->homeless);
	pg_send_waiting(lane);
}

static void pg_on_writable(struct pg_conn *conn)
{
	pg_send_waiting(container_of(conn, struct pg_lane, conn));
}

static void pg_forget_session(struct pg_lane *lane)
{
	PQclear(lane->result);
	lane->result = NULL;
	lane->is_stale = false;
	memset(lane->is_prepared, 0, sizeof(lane->is_prepared));
}

static void pg_on_lost(struct pg_conn *conn)
{
	struct pg_lane *lane = container_of(conn, struct pg_lane, conn);

	pg_forget_session(lane);
	pipeline_lose(&lane->pipeline);
}

static void pg_on_stalled(struct pipeline *pipeline)
{
	pg_conn_lose(&container_of(pipeline, struct pg_lane, pipeline)->conn, "connection to postgresql was lost",
	             STR("no answer in time"));
}

static void pg_free_when_closed(struct pg *pg)
{
	unsigned open_handles = pg->has_requests_handle;
	void (*closed)(void *arg) = pg->closed;
	void *arg = pg->closed_arg;

	for (unsigned i = 0; i < pg->options.connections; i++)
		open_handles += pg->lanes[i].conn.open_handles;
	if (!pg->is_closing || open_handles > 0)
		return;
	mem_free(pg->lanes);
	mem_free(pg->uri);
	mem_free(pg->session);
	mem_free(pg);
	if (closed)
		closed(arg);
}

static void pg_on_handle_gone(struct pg_conn *conn)
{
	pg_free_when_closed(container_of(conn, struct pg_lane, conn)->pg);
}

static const struct pg_conn_handlers pg_handlers = {
	.ready = pg_on_ready,
	.readable = pg_on_readable,
	.writable = pg_on_writable,
	.lost = pg_on_lost,
	.handle_gone = pg_on_handle_gone,
};

/* ---- the pool ---- */

static void pg_set_session(struct pg *pg)
{
	struct buf session = { 0 };

	pg->uri = str_dup(str_from(pg->options.uri));
	pg->keywords[0] = "dbname"; /* expanded: it may be a whole URI */
	pg->values[0] = pg->uri;
	if (pg->options.settings)
		buf_append_text(&session, pg->options.settings);
	if (pg->options.statement_timeout_ms)
		buf_printf(&session, " -c statement_timeout=%u", pg->options.statement_timeout_ms);
	if (session.len) {
		pg->session = str_dup(buf_str(&session));
		pg->keywords[1] = "options";
		pg->values[1] = pg->session;
	}
	buf_release(&session);
}

err_t pg_new(struct pg **out, struct worker *worker, const struct pg_options *options)
{
	struct pg *pg = MEM_NEW(struct pg);

	assert(options->connections > 0);
	pg->worker = worker;
	pg->options = *options;
	pg_set_session(pg);
	requests_init(&pg->requests, worker, options->max_waiting, options->timeout_ms, options->waiting_gauge);
	pg->requests.end = pg_end_query;
	pg->requests.free = pg_free_query;
	pg->has_requests_handle = true;
	pipeline_init(&pg->homeless, &pg->requests, NULL);
	pg->lanes = mem_zalloc(options->connections * sizeof(*pg->lanes));
	for (unsigned i = 0; i < options->connections; i++) {
		struct pg_lane *lane = &pg->lanes[i];
		lane->pg = pg;
		pipeline_init(&lane->pipeline, &pg->requests, pg_on_stalled);
		lane->conn = (struct pg_conn){
			.worker = worker, .keywords = pg->keywords, .values = pg->values, .handlers = &pg_handlers, .number = i,
		};
		pg_conn_start(&lane->conn);
	}
	*out = pg;
	return OK;
}

static void pg_on_requests_closed(uv_handle_t *handle)
{
	struct pg *pg = container_of((struct requests *)handle->data, struct pg, requests);

	pg->has_requests_handle = false;
	pg_free_when_closed(pg);
}

void pg_close(struct pg *pg, void (*closed)(void *arg), void *arg)
{
	assert(!pg->is_closing);
	pg->is_closing = true;
	pg->closed = closed;
	pg->closed_arg = arg;
	for (unsigned i = 0; i < pg->options.connections; i++) {
		struct pg_lane *lane = &pg->lanes[i];
		pg_conn_stop(&lane->conn);
		pg_forget_session(lane);
		pipeline_close(&lane->pipeline);
	}
	pipeline_close(&pg->homeless);
	requests_close(&pg->requests, pg_on_requests_closed);
}

bool pg_is_connected(const struct pg *pg)
{
	for (unsigned i = 0; i < pg->options.connections; i++) {
		if (pg->lanes[i].conn.state == PG_CONN_READY)
			return true;
	}
	return false;
}
