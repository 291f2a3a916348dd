#include <assert.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/telemetry/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "net/http/http_internal.h"
#include "net/listener.h"

/*
 * How libmicrohttpd is driven. Its epoll fd is polled by the loop, and MHD_run()
 * is called when there is something in it. Between two requests nothing is
 * armed, moved or asked of the kernel by this file.
 *
 * An answer given later than in its handler resumes a suspended connection,
 * which libmicrohttpd looks at in its next MHD_run() only. So that the answer
 * leaves in the same turn of the loop, a check handle (behind the callbacks of
 * sockets and mailboxes) and a prepare handle (behind those of timers, before
 * the loop sleeps) run it when there are such answers. Run from the answer
 * itself it would be entered recursively, and once per answer instead of once
 * for all.
 *
 * Time-outs: libmicrohttpd drops who is silent or does not take its answer;
 * http_connection.c drops who drips. Both are looked at once a second, while
 * there are connections.
 */

#define SWEEP_MS 1000
#define CLOSE_FLUSH_MS 2000
#define MAX_ROUNDS 4 /* of MHD_run() in a turn of the loop: others want their turn too */
/*
 * The head of a request (20 KiB at most, http_connection.c) and that of its answer must fit. Not more than that:
 * libmicrohttpd zeroes all of it after each request, which at 32 KiB was 7 % of the CPU.
 */
#define CONNECTION_MEMORY (24 * 1024)

static bool has_work(struct http_server *server)
{
	MHD_UNSIGNED_LONG_LONG wait_ms;

	return server->has_answers || (MHD_get_timeout(server->daemon, &wait_ms) == MHD_YES && wait_ms == 0);
}

static void on_handle_closed(uv_handle_t *handle)
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

static void close_handles(struct http_server *server)
{
	uv_close((uv_handle_t *)&server->poll, on_handle_closed);
	uv_close((uv_handle_t *)&server->prepare, on_handle_closed);
	uv_close((uv_handle_t *)&server->check, on_handle_closed);
	uv_close((uv_handle_t *)&server->idle, on_handle_closed);
	uv_close((uv_handle_t *)&server->sweep, on_handle_closed);
}

static void finish_closing(struct http_server *server)
{
	server->is_closed = true;
	close_handles(server);
	MHD_stop_daemon(server->daemon);
}

static void on_idle(uv_idle_t *idle);
static void on_sweep(uv_timer_t *sweep);

static void turn(struct http_server *server)
{
	int rounds = 0;

	if (server->is_closed)
		return;
	server->now_ms = clock_mono_ms();
	do {
		server->has_answers = false;
		MHD_run(server->daemon);
	} while (has_work(server) && ++rounds < MAX_ROUNDS);

	if (server->is_closing && (server->answering == 0 || server->now_ms >= server->close_deadline_ms)) {
		finish_closing(server);
		return;
	}
	if (rounds == MAX_ROUNDS)
		uv_idle_start(&server->idle, on_idle);
	else
		uv_idle_stop(&server->idle);
	if (server->connections && !uv_is_active((uv_handle_t *)&server->sweep))
		uv_timer_start(&server->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	(void)status, (void)events;
	turn(poll->data);
}

static void on_prepare(uv_prepare_t *prepare)
{
	struct http_server *server = prepare->data;

	if (server->has_answers)
		turn(server);
}

static void on_check(uv_check_t *check)
{
	struct http_server *server = check->data;

	if (server->has_answers)
		turn(server);
}

static void on_idle(uv_idle_t *idle)
{
	turn(idle->data);
}

static void on_sweep(uv_timer_t *sweep)
{
	struct http_server *server = sweep->data;

	server->now_ms = clock_mono_ms();
	http_connection_drop_overdue(server);
	turn(server);
	if (!server->is_closed && server->connections == 0)
		uv_timer_stop(sweep);
}

/* What libmicrohttpd has to say is about misbehaving clients, nearly always. */
static void on_log(void *cls, const char *format, va_list args) PRINTF_LIKE(2, 0);
static void on_log(void *cls, const char *format, va_list args)
{
	char line[256];
	(void)cls;

	if (!log_is_enabled(LOG_DEBUG))
		return;
	vsnprintf(line, sizeof(line), format, args);
	line[strcspn(line, "\n")] = '\0';
	log_debug("libmicrohttpd", LOG_TEXT("says", line));
}

/* The target is decoded by us, segment by segment: an encoded slash is no separator. */
static size_t leave_encoded(void *cls, struct MHD_Connection *conn, char *text)
{
	(void)cls, (void)conn;
	return strlen(text);
}

static err_t start_daemon(struct http_server *server)
{
	const struct http_server_options *options = &server->options;

	server->daemon = MHD_start_daemon(
		MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL, /* port and policy: unused */
		http_connection_request, server,
		MHD_OPTION_EXTERNAL_LOGGER, on_log, server,
		MHD_OPTION_LISTEN_SOCKET, server->listen_fd,
		MHD_OPTION_CONNECTION_LIMIT, options->max_connections,
		MHD_OPTION_PER_IP_CONNECTION_LIMIT, options->max_connections_per_address,
		MHD_OPTION_CONNECTION_TIMEOUT, options->idle_timeout_s,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
		MHD_OPTION_STRICT_FOR_CLIENT, 1,
		MHD_OPTION_UNESCAPE_CALLBACK, leave_encoded, server,
		MHD_OPTION_URI_LOG_CALLBACK, http_connection_first_line, server,
		MHD_OPTION_NOTIFY_CONNECTION, http_connection_notify, server,
		MHD_OPTION_NOTIFY_COMPLETED, http_connection_completed, server,
		MHD_OPTION_END);
	if (!server->daemon) {
		log_error("libmicrohttpd does not start", LOG_TEXT("address", options->listen));
		return ERR_IO;
	}
	return OK;
}

static err_t start_polling(struct http_server *server)
{
	const union MHD_DaemonInfo *daemon = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	uv_loop_t *loop = &server->worker->loop;

	if (uv_poll_init(loop, &server->poll, daemon->epoll_fd)) {
		log_error("loop does not take libmicrohttpd's epoll", LOG_TEXT("address", server->options.listen));
		return ERR_IO;
	}
	/* None of these can fail. */
	uv_prepare_init(loop, &server->prepare);
	uv_check_init(loop, &server->check);
	uv_idle_init(loop, &server->idle);
	uv_timer_init(loop, &server->sweep);
	server->open_handles = 5;
	server->poll.data = server->prepare.data = server->check.data = server->idle.data = server->sweep.data = server;
	uv_poll_start(&server->poll, UV_READABLE, on_poll);
	uv_prepare_start(&server->prepare, on_prepare);
	uv_check_start(&server->check, on_check);
	return OK;
}

err_t http_server_new(struct http_server **out, struct worker *worker, const struct http_server_options *options)
{
	struct http_server *server = MEM_NEW(struct http_server);

	assert(options->idle_timeout_s > 0);
	server->options = *options;
	server->worker = worker;
	server->now_ms = clock_mono_ms();
	list_init(&server->waiting);
	random_hex(server->id_prefix, sizeof(server->id_prefix) - 1);

	err_t err = listener_open(&server->listen_fd, options->listen, options->shares_port);
	if (err)
		goto free_server;
	server->port = listener_port(server->listen_fd);
	err = start_daemon(server);
	if (err)
		goto close_listener;
	err = start_polling(server);
	if (err)
		goto stop_daemon;
	server->routes = http_routes_new(options->routes, options->route_count);
	*out = server;
	return OK;

stop_daemon:
	MHD_stop_daemon(server->daemon); /* closes the listener */
	goto free_server;
close_listener:
	close(server->listen_fd);
free_server:
	mem_free(server);
	return err;
}

uint16_t http_server_port(const struct http_server *server)
{
	return server->port;
}

void http_server_stop_listening(struct http_server *server)
{
	server->is_draining = true;
	if (server->listen_fd < 0)
		return;
	MHD_quiesce_daemon(server->daemon);
	close(server->listen_fd);
	server->listen_fd = -1;
}

unsigned http_server_pending(const struct http_server *server)
{
	return server->pending;
}

void http_server_close(struct http_server *server, void (*closed)(void *arg), void *arg)
{
	assert(server->pending == 0 && !server->is_closing);
	http_server_stop_listening(server);
	server->closed = closed;
	server->closed_arg = arg;
	server->close_deadline_ms = clock_mono_ms() + CLOSE_FLUSH_MS;
	server->is_closing = true;
	/* Not from here: the caller may be a handler, inside libmicrohttpd. */
	uv_idle_start(&server->idle, on_idle);
}
