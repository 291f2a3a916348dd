#include "store/pg/pg.h"

#include <assert.h>
#include <stdlib.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/telemetry/log.h"
#include "base/mem.h"
#include "store/pg/pg_result.h"
#include "store/requests.h"

/*
 * A connection is started off the loop (PQconnectStart resolves names), shakes hands and prepares the statements on
 * it, and is then ready until it is lost. lose() is the only way down, become_ready() the only way up.
 *
 *   DOWN -> STARTING -> HANDSHAKE -> PREPARING -> READY
 *    ^__________|___________|____________|__________|
 *
 * A query's rows are kept until its sync was answered: only then is it committed, and only then may the caller
 * believe it. libpq 15 writes with every sync, so each query is a packet of its own; what the socket does not take
 * holds back the queries behind it, where they can still end as "not executed".
 */

#define BACKOFF_MIN_MS 50
#define BACKOFF_MAX_MS 1000
#define CONNECT_TIMEOUT_MS 3000 /* up to prepared */

enum conn_state { CONN_DOWN, CONN_STARTING, CONN_HANDSHAKE, CONN_PREPARING, CONN_READY };

/* The socket of a connection under the loop; lives until the loop has let it go. */
struct watch {
	uv_poll_t poll;
	struct pg *pg;
	struct pg_conn *conn; /* NULL once it is given up */
	int events;
};

/* PQconnectStart on a thread of the pool. */
struct start {
	uv_work_t work;
	struct pg *pg;
	struct pg_conn *conn; /* NULL once it is given up */
	PGconn *pq;
};

struct pg_conn {
	struct pg *pg;
	struct pipeline pipeline;
	enum conn_state state;
	PGconn *pq;
	struct start *start;
	struct watch *watch;
	struct backoff backoff;
	unsigned failures; /* since it was ready */
	struct timer timer; /* DOWN: the next try. READY: break it. Else: the try takes too long. */
	PGresult *result; /* of the oldest query or the prepared statements, until the sync */
	size_t preparing; /* PREPARING: the statement whose answer comes next */
	bool is_blocked; /* the socket takes no more for now */
	bool is_stale; /* nothing more goes out on it; it is made anew when all is answered */
};

struct pg {
	struct worker *worker;
	char *uri;
	struct pg_options options;
	struct requests requests;
	struct pipeline homeless; /* of any lane, while no connection is ready */
	struct pg_conn *conns;
	unsigned open_handles;
	bool is_closing;
	void (*closed)(void *arg);
	void *closed_arg;
};

struct query {
	struct request request;
	unsigned statement;
	struct pg_params params;
	pg_done done;
	void *arg;
	const PGresult *result; /* during `done` */
};

/* A server that stays away need not be told of every second. */
static bool is_power_of_two(unsigned n)
{
	return (n & (n - 1)) == 0;
}

static void send_waiting(struct pg_conn *conn);
static void lose(struct pg_conn *conn, const char *event, struct str reason);

/* ---- queries ---- */

static void end_query(struct request *request, err_t err)
{
	struct query *query = container_of(request, struct query, request);

	query->done(query->arg, err, query->result);
}

static void free_query(struct request *request)
{
	struct query *query = container_of(request, struct query, request);

	pg_params_release(&query->params);
	mem_free(query);
}

static struct pg_conn *shortest_queue(struct pg *pg)
{
	struct pg_conn *shortest = NULL;

	for (unsigned i = 0; i < pg->options.connections; i++) {
		struct pg_conn *conn = &pg->conns[i];
		if (conn->state == CONN_READY && !conn->is_stale && (!shortest || conn->pipeline.len < shortest->pipeline.len))
			shortest = conn;
	}
	return shortest;
}

void pg_query(struct pg *pg, uint64_t lane, unsigned statement, struct pg_params *params, pg_done done, void *arg)
{
	struct query *query = MEM_NEW(struct query);

	assert(statement < pg->options.statement_count);
	query->statement = statement;
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
	struct pg_conn *conn = lane == PG_ANY_LANE ? shortest_queue(pg) : &pg->conns[lane % pg->options.connections];
	pipeline_push(conn ? &conn->pipeline : &pg->homeless, &query->request);
	if (conn)
		send_waiting(conn);
}

/* ---- the socket ---- */

static void handle_gone(struct pg *pg)
{
	pg->open_handles--;
	if (pg->open_handles == 0 && pg->is_closing) {
		void (*closed)(void *arg) = pg->closed;
		void *arg = pg->closed_arg;

		mem_free(pg->conns);
		mem_free(pg->uri);
		mem_free(pg);
		if (closed)
			closed(arg);
	}
}

static void on_watch_closed(uv_handle_t *handle)
{
	struct watch *watch = handle->data;
	struct pg *pg = watch->pg;

	mem_free(watch);
	handle_gone(pg);
}

static void unwatch(struct pg_conn *conn)
{
	if (!conn->watch)
		return;
	conn->watch->conn = NULL;
	uv_close((uv_handle_t *)&conn->watch->poll, on_watch_closed);
	conn->watch = NULL;
}

static void on_socket(uv_poll_t *poll, int status, int events);

static void watch(struct pg_conn *conn, int events)
{
	if (!conn->watch) {
		struct watch *watch = MEM_NEW(struct watch);
		watch->pg = conn->pg;
		watch->conn = conn;
		watch->poll.data = watch;
		if (uv_poll_init(&conn->pg->worker->loop, &watch->poll, PQsocket(conn->pq))) {
			mem_free(watch);
			worker_arm(conn->pg->worker, &conn->timer, 0);
			return;
		}
		conn->pg->open_handles++;
		conn->watch = watch;
	}
	if (conn->watch->events != events)
		uv_poll_start(&conn->watch->poll, events, on_socket);
	conn->watch->events = events;
}

/* A write that fails shows as a read that fails, as libpq has it. */
static void flush(struct pg_conn *conn)
{
	conn->is_blocked = PQflush(conn->pq) == 1;
	watch(conn, UV_READABLE | (conn->is_blocked ? UV_WRITABLE : 0));
}

/* ---- sending ---- */

static int put_query(struct pg_conn *conn, const struct query *query)
{
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
	return PQsendQueryPrepared(conn->pq, conn->pg->options.statements[query->statement].name, params->count, values,
	                           lengths, formats, 1) &&
	       PQpipelineSync(conn->pq);
}

/* Does not end any query: pg_query() comes through here. */
static void send_waiting(struct pg_conn *conn)
{
	struct request *request;

	while (conn->state == CONN_READY && !conn->is_stale && !conn->is_blocked &&
	       (request = pipeline_next(&conn->pipeline))) {
		struct query *query = container_of(request, struct query, request);
		if (!put_query(conn, query)) {
			conn->is_stale = true;
			worker_arm(conn->pg->worker, &conn->timer, 0);
			return;
		}
		pg_params_release(&query->params);
		pipeline_mark_sent(&conn->pipeline, request);
		flush(conn);
	}
}

/* ---- answers ---- */

static void answer(struct pg_conn *conn)
{
	struct pg *pg = conn->pg;
	struct request *request = pipeline_take_answered(&conn->pipeline);
	struct query *query = container_of(request, struct query, request);
	PGresult *result = conn->result;
	bool is_stale;

	conn->result = NULL;
	query->result = result;
	err_t err = pg_classify(result, pg->options.statements[query->statement].name, &is_stale);
	conn->is_stale |= is_stale;
	requests_end(&pg->requests, request, err);
	free_query(request);
	PQclear(result);
}

static bool is_error(const PGresult *result)
{
	return PQresultStatus(result) == PGRES_FATAL_ERROR;
}

/* Of the results before a sync counts the first, or an error that came after it. */
static void keep(struct pg_conn *conn, PGresult *result)
{
	if (!conn->result || (is_error(result) && !is_error(conn->result))) {
		PQclear(conn->result);
		conn->result = result;
	} else {
		PQclear(result);
	}
}

static void become_ready(struct pg_conn *conn)
{
	struct pg *pg = conn->pg;

	conn->state = CONN_READY;
	conn->failures = 0;
	backoff_reset(&conn->backoff);
	worker_cancel(pg->worker, &conn->timer);
	log_info("connected to postgresql", LOG_TEXT("host", PQhost(conn->pq)), LOG_TEXT("port", PQport(conn->pq)),
	         LOG_NUM("connection", conn - pg->conns));
	pipeline_move_waiting(&conn->pipeline, &pg->homeless);
	send_waiting(conn);
}

static void end_preparing(struct pg_conn *conn)
{
	PGresult *result = conn->result;

	conn->result = NULL;
	if (result && is_error(result))
		lose(conn, "prepare for postgresql failed", str_from(PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY)));
	else
		become_ready(conn);
	PQclear(result);
}

/* The answers to PREPARE: one result and a NULL each, in order; after an error the rest is skipped. */
static void take_preparing(struct pg_conn *conn, PGresult *result)
{
	if (!result) {
		conn->preparing++;
	} else if (PQresultStatus(result) == PGRES_PIPELINE_SYNC) {
		PQclear(result);
		end_preparing(conn);
	} else {
		if (is_error(result) && is_power_of_two(conn->failures + 1))
			log_error("statement cannot be prepared",
			          LOG_TEXT("statement", conn->pg->options.statements[conn->preparing].name),
			          LOG_TEXT("sqlstate", pg_sqlstate(result)));
		keep(conn, result);
	}
}

static void take_result(struct pg_conn *conn, PGresult *result)
{
	if (conn->state == CONN_PREPARING) {
		take_preparing(conn, result);
	} else if (PQresultStatus(result) == PGRES_PIPELINE_SYNC) {
		PQclear(result);
		answer(conn);
	} else if (result) {
		keep(conn, result);
	}
}

static bool expects_answer(const struct pg_conn *conn)
{
	return conn->state == CONN_PREPARING || (conn->state == CONN_READY && !list_is_empty(&conn->pipeline.sent));
}

static void read_answers(struct pg_conn *conn)
{
	while (expects_answer(conn) && !PQisBusy(conn->pq) && PQstatus(conn->pq) == CONNECTION_OK)
		take_result(conn, PQgetResult(conn->pq));
	if (conn->state == CONN_READY && conn->is_stale && list_is_empty(&conn->pipeline.sent))
		lose(conn, "connection to postgresql is made anew", STR("its statements are out of date"));
}

static void read_socket(struct pg_conn *conn, bool is_broken)
{
	bool is_alive = PQconsumeInput(conn->pq);

	/* What came before the end still counts. */
	read_answers(conn);
	if (conn->watch && (!is_alive || is_broken || PQstatus(conn->pq) != CONNECTION_OK))
		lose(conn, "connection to postgresql was lost", pg_first_line(PQerrorMessage(conn->pq)));
}

/* ---- up and down ---- */

static void prepare_all(struct pg_conn *conn)
{
	const struct pg_options *options = &conn->pg->options;
	bool is_sent = PQsetnonblocking(conn->pq, 1) == 0 && PQenterPipelineMode(conn->pq);

	for (size_t i = 0; i < options->statement_count && is_sent; i++)
		is_sent = PQsendPrepare(conn->pq, options->statements[i].name, options->statements[i].sql, 0, NULL);
	if (!is_sent || !PQpipelineSync(conn->pq)) {
		lose(conn, "prepare for postgresql failed", pg_first_line(PQerrorMessage(conn->pq)));
		return;
	}
	conn->state = CONN_PREPARING;
	conn->preparing = 0;
	flush(conn);
}

static void shake_hands(struct pg_conn *conn, PostgresPollingStatusType next)
{
	switch (next) {
	case PGRES_POLLING_READING:
		watch(conn, UV_READABLE);
		break;
	case PGRES_POLLING_WRITING:
		watch(conn, UV_WRITABLE);
		break;
	case PGRES_POLLING_OK:
		prepare_all(conn);
		break;
	default:
		lose(conn, "connect to postgresql failed", pg_first_line(PQerrorMessage(conn->pq)));
	}
}

static void on_socket(uv_poll_t *poll, int status, int events)
{
	struct watch *watch = poll->data;
	struct pg_conn *conn = watch->conn;

	if (!conn)
		return;
	if (conn->state == CONN_HANDSHAKE) {
		/* The next step may close the socket and open another one under the same number. */
		unwatch(conn);
		shake_hands(conn, PQconnectPoll(conn->pq));
		return;
	}
	if (events & UV_WRITABLE) {
		flush(conn);
		send_waiting(conn);
	}
	if (status < 0 || (events & UV_READABLE))
		read_socket(conn, status < 0);
}

static void drop_notice(void *arg, const PGresult *result)
{
	(void)arg;
	log_debug("postgresql says", LOG_TEXT("message", PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY)));
}

static void on_started(uv_work_t *work, int status)
{
	struct start *start = container_of(work, struct start, work);
	struct pg_conn *conn = start->conn;
	(void)status;

	if (conn) {
		conn->start = NULL;
		conn->pq = start->pq;
		conn->state = CONN_HANDSHAKE;
		PQsetNoticeReceiver(conn->pq, drop_notice, NULL);
		shake_hands(conn, PQstatus(conn->pq) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING);
	} else {
		PQfinish(start->pq);
	}
	struct pg *pg = start->pg;
	mem_free(start);
	handle_gone(pg);
}

static void start_connecting(uv_work_t *work)
{
	struct start *start = container_of(work, struct start, work);

	start->pq = PQconnectStart(start->pg->uri);
}

static void connect_now(struct pg_conn *conn)
{
	struct start *start = MEM_NEW(struct start);

	*start = (struct start){ .pg = conn->pg, .conn = conn };
	uv_queue_work(&conn->pg->worker->loop, &start->work, start_connecting, on_started);
	conn->pg->open_handles++;
	conn->start = start;
	conn->state = CONN_STARTING;
	worker_arm(conn->pg->worker, &conn->timer, clock_mono_ms() + CONNECT_TIMEOUT_MS);
}

/* Everything a connection has is given back; it is down then. */
static void tear_down(struct pg_conn *conn)
{
	if (conn->start)
		conn->start->conn = NULL;
	conn->start = NULL;
	unwatch(conn);
	PQfinish(conn->pq);
	conn->pq = NULL;
	PQclear(conn->result);
	conn->result = NULL;
	conn->is_blocked = false;
	conn->is_stale = false;
	conn->state = CONN_DOWN;
	worker_cancel(conn->pg->worker, &conn->timer);
}

static void lose(struct pg_conn *conn, const char *event, struct str reason)
{
	struct pg *pg = conn->pg;

	if (is_power_of_two(++conn->failures))
		log_warn(event, LOG_STR("reason", reason), LOG_NUM("connection", conn - pg->conns),
		         LOG_NUM("failures", conn->failures));
	tear_down(conn);
	worker_arm(pg->worker, &conn->timer, clock_mono_ms() + backoff_next_ms(&conn->backoff));
	pipeline_lose(&conn->pipeline);
}

static void on_conn_timer(struct timer *timer)
{
	struct pg_conn *conn = container_of(timer, struct pg_conn, timer);

	if (conn->state == CONN_DOWN)
		connect_now(conn);
	else if (conn->state == CONN_READY)
		lose(conn, "connection to postgresql was lost", pg_first_line(PQerrorMessage(conn->pq)));
	else
		lose(conn, "connect to postgresql failed", STR("it took too long"));
}

static void on_stalled(struct pipeline *pipeline)
{
	lose(container_of(pipeline, struct pg_conn, pipeline), "connection to postgresql was lost", STR("no answer in time"));
}

/* ---- the pool ---- */

err_t pg_new(struct pg **out, struct worker *worker, const struct pg_options *options)
{
	struct pg *pg = MEM_NEW(struct pg);

	assert(options->connections > 0);
	pg->worker = worker;
	pg->options = *options;
	pg->uri = str_dup(str_from(options->uri));
	requests_init(&pg->requests, worker, options->max_waiting, options->timeout_ms,
	              options->waiting_gauge);
	pg->requests.end = end_query;
	pg->requests.free = free_query;
	pg->open_handles = 1;
	pipeline_init(&pg->homeless, &pg->requests, NULL);
	pg->conns = mem_zalloc(options->connections * sizeof(*pg->conns));
	for (unsigned i = 0; i < options->connections; i++) {
		struct pg_conn *conn = &pg->conns[i];
		conn->pg = pg;
		pipeline_init(&conn->pipeline, &pg->requests, on_stalled);
		backoff_init(&conn->backoff, BACKOFF_MIN_MS, BACKOFF_MAX_MS);
		timer_init(&conn->timer, on_conn_timer);
		connect_now(conn);
	}
	*out = pg;
	return OK;
}

static void on_requests_closed(uv_handle_t *handle)
{
	struct requests *requests = handle->data;

	handle_gone(container_of(requests, struct pg, requests));
}

void pg_close(struct pg *pg, void (*closed)(void *arg), void *arg)
{
	assert(!pg->is_closing);
	pg->is_closing = true;
	pg->closed = closed;
	pg->closed_arg = arg;
	for (unsigned i = 0; i < pg->options.connections; i++) {
		tear_down(&pg->conns[i]);
		pipeline_close(&pg->conns[i].pipeline);
	}
	pipeline_close(&pg->homeless);
	requests_close(&pg->requests, on_requests_closed);
}

bool pg_is_connected(const struct pg *pg)
{
	for (unsigned i = 0; i < pg->options.connections; i++) {
		if (pg->conns[i].state == CONN_READY)
			return true;
	}
	return false;
}
