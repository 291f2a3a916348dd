#include "net/http/http_server.h"

#include <assert.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/telemetry/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "loop/listener.h"
#include "net/http/http_connection.h"
#include "net/http/http_internal.h"

/*
 * How the loop drives libmicrohttpd. The loop polls libmicrohttpd's epoll fd and calls MHD_run() when it is readable.
 * Between two requests this file arms no timer and makes no system call.
 *
 * An answer given after its handler returned resumes a suspended connection, and libmicrohttpd looks at that connection in
 * its next MHD_run() only. Two handles call MHD_run() when there are such answers, so that they leave in the same turn of
 * the loop: a check handle, which runs after the callbacks of sockets and mailboxes, and a prepare handle, which runs after
 * those of timers and before the loop sleeps. Calling it from the answer itself would enter it recursively, and once per
 * answer instead of once for all.
 *
 * Deadlines: libmicrohttpd drops clients that are silent or do not read their answer; http_connection.c drops clients that
 * send a byte now and then. Both are checked once a second while there are connections.
 */

#define SWEEP_MS 1000
#define CLOSE_FLUSH_MS 2000
#define MAX_ROUNDS 4 /* calls of MHD_run() in a turn of the loop: other handles of the loop need their turn */
/*
 * Must hold the head of a request (20 KiB at most, http_connection.c) and the head of its answer, and no more:
 * libmicrohttpd zeroes all of it after each request, which took 7 % of the CPU at 32 KiB.
 */
#define CONNECTION_MEMORY (24 * 1024)

struct http_server {
	struct http_connections connections;
	struct worker *worker;
	struct http_routes *routes;
	struct MHD_Daemon *daemon;
	int listen_fd; /* -1 after http_server_stop_listening() */
	uint16_t port;

	uv_poll_t poll; /* libmicrohttpd's epoll fd */
	uv_prepare_t prepare; /* these two send answers given in this turn of the loop */
	uv_check_t check;
	uv_idle_t idle; /* active while libmicrohttpd has work left */
	uv_timer_t sweep; /* active while there are connections */
	unsigned open_handles;

	uint64_t close_deadline_ms;
	void (*closed)(void *arg);
	void *closed_arg;
};

static bool server_has_work(struct http_server *server)
{
	MHD_UNSIGNED_LONG_LONG wait_ms;

	return server->connections.has_answers || (MHD_get_timeout(server->daemon, &wait_ms) == MHD_YES && wait_ms == 0);
}

static void server_on_handle_closed(uv_handle_t *handle)
{
	struct http_server *server = handle->data;

	if (--server->open_handles)
		return;
	http_routes_free(server->routes);
	void (*closed)(void *arg) = server->closed;
	void *arg = server->closed_arg;
	mem_free(server);
	if (closed)
		closed(arg);
}

static void server_on_idle(uv_idle_t *idle);
static void server_on_sweep(uv_timer_t *sweep);

static void server_turn(struct http_server *server)
{
	int rounds = 0;

	if (server->connections.phase == HTTP_CLOSED)
		return;
	server->connections.now_ms = clock_mono_ms();
	do {
		server->connections.has_answers = false;
		MHD_run(server->daemon);
	} while (server_has_work(server) && ++rounds < MAX_ROUNDS);

	if (server->connections.phase == HTTP_CLOSING &&
	    (server->connections.answering == 0 || server->connections.now_ms >= server->close_deadline_ms)) {
		server->connections.phase = HTTP_CLOSED;
		uv_close((uv_handle_t *)&server->poll, server_on_handle_closed);
		uv_close((uv_handle_t *)&server->prepare, server_on_handle_closed);
		uv_close((uv_handle_t *)&server->check, server_on_handle_closed);
		uv_close((uv_handle_t *)&server->idle, server_on_handle_closed);
		uv_close((uv_handle_t *)&server->sweep, server_on_handle_closed);
		MHD_stop_daemon(server->daemon);
		return;
	}
	if (rounds == MAX_ROUNDS)
		uv_idle_start(&server->idle, server_on_idle);
	else
		uv_idle_stop(&server->idle);
	if (server->connections.count && !uv_is_active((uv_handle_t *)&server->sweep))
		uv_timer_start(&server->sweep, server_on_sweep, SWEEP_MS, SWEEP_MS);
}

static void server_on_poll(uv_poll_t *poll, int status, int events)
{
	(void)status, (void)events;
	server_turn(poll->data);
}

static void server_on_prepare(uv_prepare_t *prepare)
{
	struct http_server *server = prepare->data;

	if (server->connections.has_answers)
		server_turn(server);
}

static void server_on_check(uv_check_t *check)
{
	struct http_server *server = check->data;

	if (server->connections.has_answers)
		server_turn(server);
}

static void server_on_idle(uv_idle_t *idle)
{
	server_turn(idle->data);
}

static void server_on_sweep(uv_timer_t *sweep)
{
	struct http_server *server = sweep->data;

	server->connections.now_ms = clock_mono_ms();
	http_connection_drop_overdue(&server->connections);
	server_turn(server);
	if (server->connections.phase != HTTP_CLOSED && server->connections.count == 0)
		uv_timer_stop(sweep);
}

/* Nearly all of libmicrohttpd's messages are about misbehaving clients. */
static void server_on_log(void *cls, const char *format, va_list args) PRINTF_LIKE(2, 0);
static void server_on_log(void *cls, const char *format, va_list args)
{
	char line[256];
	(void)cls;

	if (!log_is_enabled(LOG_DEBUG))
		return;
	vsnprintf(line, sizeof(line), format, args);
	line[strcspn(line, "\n")] = '\0';
	log_debug("libmicrohttpd", LOG_TEXT("line", line));
}

/* http_connection.c decodes the target segment by segment: an encoded slash does not separate segments. */
static size_t server_leave_encoded(void *cls, struct MHD_Connection *conn, char *text)
{
	(void)cls, (void)conn;
	return strlen(text);
}

static err_t server_start_daemon(struct http_server *server, const struct http_server_options *options)
{
	server->daemon = MHD_start_daemon(
		MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL, /* port and policy: unused */
		http_connection_request, &server->connections,
		MHD_OPTION_EXTERNAL_LOGGER, server_on_log, server,
		MHD_OPTION_LISTEN_SOCKET, server->listen_fd,
		MHD_OPTION_CONNECTION_LIMIT, options->max_connections,
		MHD_OPTION_PER_IP_CONNECTION_LIMIT, options->max_connections_per_address,
		MHD_OPTION_CONNECTION_TIMEOUT, options->idle_timeout_s,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
		MHD_OPTION_STRICT_FOR_CLIENT, 1,
		MHD_OPTION_UNESCAPE_CALLBACK, server_leave_encoded, server,
		MHD_OPTION_URI_LOG_CALLBACK, http_connection_first_line, &server->connections,
		MHD_OPTION_NOTIFY_CONNECTION, http_connection_notify, &server->connections,
		MHD_OPTION_NOTIFY_COMPLETED, http_connection_completed, &server->connections,
		MHD_OPTION_END);
	if (!server->daemon) {
		log_error("cannot start libmicrohttpd", LOG_TEXT("address", options->listen));
		return ERR_IO;
	}
	return OK;
}

static err_t server_start_polling(struct http_server *server, const char *listen)
{
	const union MHD_DaemonInfo *daemon = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	uv_loop_t *loop = &server->worker->loop;

	if (uv_poll_init(loop, &server->poll, daemon->epoll_fd)) {
		log_error("cannot poll libmicrohttpd's epoll fd", LOG_TEXT("address", listen));
		return ERR_IO;
	}
	/* None of these can fail. */
	uv_prepare_init(loop, &server->prepare);
	uv_check_init(loop, &server->check);
	uv_idle_init(loop, &server->idle);
	uv_timer_init(loop, &server->sweep);
	server->open_handles = 5;
	server->poll.data = server->prepare.data = server->check.data = server->idle.data = server->sweep.data = server;
	uv_poll_start(&server->poll, UV_READABLE, server_on_poll);
	uv_prepare_start(&server->prepare, server_on_prepare);
	uv_check_start(&server->check, server_on_check);
	return OK;
}

static void server_init_connections(struct http_connections *connections, const struct http_server_options *options,
                                    const struct http_routes *routes)
{
	*connections = (struct http_connections){
		.routes = routes,
		.max_body = options->max_body,
		.max_pending = options->max_pending,
		.idle_timeout_ms = (uint64_t)options->idle_timeout_s * 1000,
		.connection_gauge = options->connection_gauge,
		.pending_gauge = options->pending_gauge,
		.finished = options->finished,
		.arg = options->arg,
		.now_ms = clock_mono_ms(),
	};
	list_init(&connections->waiting);
	random_hex(connections->id_prefix, sizeof(connections->id_prefix) - 1);
}

err_t http_server_new(struct http_server **out, struct worker *worker, const struct http_server_options *options)
{
	struct http_server *server = MEM_NEW(struct http_server);

	assert(options->idle_timeout_s > 0);
	server->worker = worker;
	server->routes = http_routes_new(options->routes, options->route_count);
	server_init_connections(&server->connections, options, server->routes);

	err_t err = listener_open(&server->listen_fd, options->listen, options->shares_port);
	if (err)
		goto free_server;
	server->port = listener_port(server->listen_fd);
	err = server_start_daemon(server, options);
	if (err)
		goto close_listener;
	err = server_start_polling(server, options->listen);
	if (err)
		goto stop_daemon;
	*out = server;
	return OK;

stop_daemon:
	MHD_stop_daemon(server->daemon); /* closes the listener */
	goto free_server;
close_listener:
	close(server->listen_fd);
free_server:
	http_routes_free(server->routes);
	mem_free(server);
	return err;
}

uint16_t http_server_port(const struct http_server *server)
{
	return server->port;
}

void http_server_stop_listening(struct http_server *server)
{
	server->connections.phase = MAX(server->connections.phase, HTTP_DRAINING);
	if (server->listen_fd < 0)
		return;
	MHD_quiesce_daemon(server->daemon);
	close(server->listen_fd);
	server->listen_fd = -1;
}

void http_server_refuse(struct http_server *server)
{
	http_server_stop_listening(server);
	server->connections.phase = MAX(server->connections.phase, HTTP_REFUSING);
}

unsigned http_server_pending(const struct http_server *server)
{
	return server->connections.pending;
}

void http_server_close(struct http_server *server, void (*closed)(void *arg), void *arg)
{
	assert(server->connections.pending == 0 && server->connections.phase < HTTP_CLOSING);
	http_server_refuse(server);
	server->closed = closed;
	server->closed_arg = arg;
	server->close_deadline_ms = clock_mono_ms() + CLOSE_FLUSH_MS;
	server->connections.phase = HTTP_CLOSING;
	/* On the next turn: the caller may be a handler, inside MHD_run(). */
	uv_idle_start(&server->idle, server_on_idle);
}
