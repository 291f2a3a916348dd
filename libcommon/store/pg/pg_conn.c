#include "store/pg/pg_conn.h"

#include "base/mem.h"
#include "base/telemetry/log.h"
#include "store/pg/pg_result.h"

#define BACKOFF_MIN_MS 50
#define BACKOFF_MAX_MS 1000
#define CONNECT_TIMEOUT_MS 3000 /* up to ready */

/* Polls the socket of a connection. Freed when libuv has closed the poll handle. */
struct pg_watch {
	uv_poll_t poll;
	struct pg_conn *owner;
	bool is_given_up;
	int events;
};

/* PQconnectStartParams on a thread of the pool. */
struct pg_start {
	uv_work_t work;
	struct pg_conn *owner;
	bool is_given_up;
	PGconn *pq;
};

/* ---- the socket ---- */

static void pg_conn_handle_gone(struct pg_conn *conn)
{
	conn->open_handles--;
	conn->handlers->handle_gone(conn);
}

static void pg_conn_on_watch_closed(uv_handle_t *handle)
{
	struct pg_watch *watch = handle->data;
	struct pg_conn *conn = watch->owner;

	mem_free(watch);
	pg_conn_handle_gone(conn);
}

static void pg_conn_unwatch(struct pg_conn *conn)
{
	if (!conn->watch)
		return;
	conn->watch->is_given_up = true;
	uv_close((uv_handle_t *)&conn->watch->poll, pg_conn_on_watch_closed);
	conn->watch = NULL;
}

static void pg_conn_on_socket(uv_poll_t *poll, int status, int events);

static void pg_conn_watch(struct pg_conn *conn, int events)
{
	/* libpq closes the socket when a write fails. libuv aborts on a closed descriptor, so the handle is closed first. */
	if (PQsocket(conn->pq) < 0) {
		pg_conn_unwatch(conn);
		pg_conn_break(conn);
		return;
	}
	if (!conn->watch) {
		struct pg_watch *watch = MEM_NEW(struct pg_watch);
		watch->owner = conn;
		watch->poll.data = watch;
		if (uv_poll_init(&conn->worker->loop, &watch->poll, PQsocket(conn->pq))) {
			mem_free(watch);
			pg_conn_break(conn);
			return;
		}
		conn->open_handles++;
		conn->watch = watch;
	}
	if (conn->watch->events != events)
		uv_poll_start(&conn->watch->poll, events, pg_conn_on_socket);
	conn->watch->events = events;
}

/* A failed write needs no check: libpq reports it with the next read. */
void pg_conn_flush(struct pg_conn *conn)
{
	conn->is_blocked = PQflush(conn->pq) == 1;
	pg_conn_watch(conn, UV_READABLE | (conn->is_blocked ? UV_WRITABLE : 0));
}

/* ---- up ---- */

static void pg_conn_become_ready(struct pg_conn *conn)
{
	if (PQsetnonblocking(conn->pq, 1) || !PQenterPipelineMode(conn->pq)) {
		pg_conn_lose(conn, "connect to postgresql failed", pg_first_line(PQerrorMessage(conn->pq)));
		return;
	}
	conn->state = PG_CONN_READY;
	conn->failures = 0;
	backoff_reset(&conn->backoff);
	worker_cancel(conn->worker, &conn->timer);
	log_info("connected to postgresql", LOG_TEXT("host", PQhost(conn->pq)), LOG_TEXT("port", PQport(conn->pq)),
	         LOG_U64("connection", conn->number));
	conn->handlers->ready(conn);
	pg_conn_flush(conn); /* also polls the socket, which must come after the first write */
}

static void pg_conn_shake_hands(struct pg_conn *conn, PostgresPollingStatusType next)
{
	switch (next) {
	case PGRES_POLLING_READING:
		pg_conn_watch(conn, UV_READABLE);
		break;
	case PGRES_POLLING_WRITING:
		pg_conn_watch(conn, UV_WRITABLE);
		break;
	case PGRES_POLLING_OK:
		pg_conn_become_ready(conn);
		break;
	default:
		pg_conn_lose(conn, "connect to postgresql failed", pg_first_line(PQerrorMessage(conn->pq)));
	}
}

static void pg_conn_on_socket(uv_poll_t *poll, int status, int events)
{
	struct pg_watch *watch = poll->data;
	struct pg_conn *conn = watch->owner;

	if (watch->is_given_up)
		return;
	if (conn->state == PG_CONN_HANDSHAKE) {
		/* The next step may close the socket and open another one under the same number. */
		pg_conn_unwatch(conn);
		pg_conn_shake_hands(conn, PQconnectPoll(conn->pq));
		return;
	}
	if (events & UV_WRITABLE) {
		pg_conn_flush(conn);
		conn->handlers->writable(conn);
	}
	if (status < 0 || (events & UV_READABLE)) {
		bool is_alive = PQconsumeInput(conn->pq) && status >= 0;
		conn->handlers->readable(conn);
		if (conn->state == PG_CONN_READY && (!is_alive || PQstatus(conn->pq) != CONNECTION_OK))
			pg_conn_lose(conn, "connection to postgresql was lost", pg_first_line(PQerrorMessage(conn->pq)));
	}
}

static void pg_conn_log_notice(void *arg, const PGresult *result)
{
	(void)arg;
	log_debug("notice from postgresql", LOG_TEXT("message", PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY)));
}

static void pg_conn_on_started(uv_work_t *work, int status)
{
	struct pg_start *start = container_of(work, struct pg_start, work);
	struct pg_conn *conn = start->owner;
	PGconn *pq = start->pq;
	bool is_given_up = start->is_given_up;
	(void)status;

	mem_free(start);
	if (is_given_up) {
		PQfinish(pq);
	} else {
		conn->start = NULL;
		conn->pq = pq;
		conn->state = PG_CONN_HANDSHAKE;
		PQsetNoticeReceiver(pq, pg_conn_log_notice, NULL);
		pg_conn_shake_hands(conn, PQstatus(pq) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING);
	}
	pg_conn_handle_gone(conn);
}

static void pg_conn_resolve(uv_work_t *work)
{
	struct pg_start *start = container_of(work, struct pg_start, work);

	start->pq = PQconnectStartParams(start->owner->keywords, start->owner->values, 1);
}

static void pg_conn_connect(struct pg_conn *conn)
{
	struct pg_start *start = MEM_NEW(struct pg_start);

	*start = (struct pg_start){ .owner = conn };
	uv_queue_work(&conn->worker->loop, &start->work, pg_conn_resolve, pg_conn_on_started);
	conn->open_handles++;
	conn->start = start;
	conn->state = PG_CONN_STARTING;
	worker_arm_in(conn->worker, &conn->timer, CONNECT_TIMEOUT_MS);
}

/* ---- down ---- */

static void pg_conn_tear_down(struct pg_conn *conn)
{
	if (conn->start)
		conn->start->is_given_up = true;
	conn->start = NULL;
	pg_conn_unwatch(conn);
	PQfinish(conn->pq);
	conn->pq = NULL;
	conn->is_blocked = false;
	conn->state = PG_CONN_DOWN;
	worker_cancel(conn->worker, &conn->timer);
}

void pg_conn_lose(struct pg_conn *conn, const char *event, struct str reason)
{
	conn->failures++;
	/* Logged for the 1st, 2nd, 4th, 8th ... failure: a server that stays away does not fill the log. */
	if (IS_POWER_OF_TWO(conn->failures))
		log_warn(event, LOG_STR("reason", reason), LOG_U64("connection", conn->number),
		         LOG_U64("failures", conn->failures));
	pg_conn_tear_down(conn);
	worker_arm_in(conn->worker, &conn->timer, backoff_next_ms(&conn->backoff));
	conn->handlers->lost(conn);
}

void pg_conn_break(struct pg_conn *conn)
{
	worker_arm(conn->worker, &conn->timer, 0);
}

static void pg_conn_on_timer(struct timer *timer)
{
	struct pg_conn *conn = container_of(timer, struct pg_conn, timer);

	if (conn->state == PG_CONN_DOWN)
		pg_conn_connect(conn);
	else if (conn->state == PG_CONN_READY)
		pg_conn_lose(conn, "connection to postgresql was lost", pg_first_line(PQerrorMessage(conn->pq)));
	else
		pg_conn_lose(conn, "connect to postgresql failed", STR("it took too long"));
}

void pg_conn_start(struct pg_conn *conn)
{
	backoff_init(&conn->backoff, BACKOFF_MIN_MS, BACKOFF_MAX_MS);
	timer_init(&conn->timer, pg_conn_on_timer);
	pg_conn_connect(conn);
}

void pg_conn_stop(struct pg_conn *conn)
{
	pg_conn_tear_down(conn);
}

PGconn *pg_connect_blocking(const char *uri)
{
	PGconn *conn = PQconnectdb(uri);

	if (PQstatus(conn) == CONNECTION_OK)
		return conn;
	log_error("connect to postgresql failed", LOG_STR("reason", pg_first_line(PQerrorMessage(conn))));
	PQfinish(conn);
	return NULL;
}
