#include "net/ws/ws_server.h"

#include <assert.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/telemetry/log.h"
#include "base/mem.h"
#include "loop/listener.h"
#include "net/ws/ws_internal.h"

#define ACCEPTS_PER_TURN 64
#define ACCEPT_AGAIN_MS 100

/*
 * lws makes tables of 16 bytes for each descriptor that the process may open. For limits above ten million it assumes
 * 2,560, and then refuses connections beyond them.
 */
#define DESCRIPTORS_MAX (1u << 20)

/* Bytes that the kernel accepts per connection without having sent them; its own limit is 4 MiB. */
#define UNSENT_MAX 16384

/* Bytes that lws reads at a time, into one buffer for all connections. */
#define READ_SIZE 4096

static void server_begin_to_accept(struct ws_server *server);

static void server_on_accept_again(struct timer *timer)
{
	server_begin_to_accept(container_of(timer, struct ws_server, accept_again));
}

static void server_take_connection(struct ws_server *server, int fd, const struct sockaddr_storage *from)
{
	struct ws_ip ip;

	ws_ip_from(&ip, from);
	if (!ws_handshake_is_within_cap(server, &ip) || !ws_budget_enter(server->options.budget)) {
		close(fd);
		return;
	}
	ws_handshake_begin(server, fd, &ip);
}

static void server_on_connections(uv_poll_t *listener, int status, int events)
{
	struct ws_server *server = listener->data;
	(void)status;
	(void)events;

	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		struct sockaddr_storage from;
		socklen_t len = sizeof(from);
		int fd = accept4(server->listen_fd, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			server_take_connection(server, fd, &from);
		} else if (errno == EAGAIN) {
			return;
		} else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			log_warn("cannot accept connections", LOG_TEXT("why", strerror(errno)));
			/* The listener stays readable: without a pause the loop would spin. */
			uv_poll_stop(&server->listener);
			worker_arm_in(server->worker, &server->accept_again, ACCEPT_AGAIN_MS);
			return;
		}
		/* Any other error is about that one connection, which ended before it was accepted. */
	}
}

static void server_begin_to_accept(struct ws_server *server)
{
	uv_poll_start(&server->listener, UV_READABLE, server_on_connections);
}

static void server_log_of_lws(int level, const char *line)
{
	struct str text = str_from(line);
	(void)level;

	while (text.len && text.ptr[text.len - 1] == '\n')
		text.len--;
	if (text.len)
		log_warn("libwebsockets", LOG_STR("line", text));
}

/*
 * Workers may start at the same time, but the contexts of lws share state, so they are made one at a time. The log of lws is
 * on only for the first context, which reports what is missing on this machine: lws formats lines in a static buffer, and
 * workers that already serve would write to it at the same time.
 */
static bool server_make_context(struct ws_server *server)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static bool was_heard;
	static const lws_retry_bo_t no_validity_checks;
	static const struct lws_protocols protocols[] = {
		{ .name = "raw", .callback = ws_conn_callback, .tx_packet_size = 65536 },
		{ .name = NULL },
	};
	void *loops[] = { &server->worker->loop };
	const struct lws_context_creation_info info = {
		.options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS |
		           LWS_SERVER_OPTION_UV_NO_SIGSEGV_SIGFPE_SPIN,
		.port = CONTEXT_PORT_NO_LISTEN_SERVER,
		.foreign_loops = loops,
		.protocols = protocols,
		.retry_and_idle_policy = &no_validity_checks,
		.pt_serv_buf_size = READ_SIZE,
		.vhost_name = "skein",
		.alpn = "http/1.1",
		.user = server,
	};

	struct rlimit limit, bounded;

	pthread_mutex_lock(&lock);
	if (!was_heard)
		lws_set_log_level(LLL_ERR | LLL_WARN, server_log_of_lws);
	getrlimit(RLIMIT_NOFILE, &limit);
	bounded = (struct rlimit){ .rlim_cur = MIN(limit.rlim_cur, DESCRIPTORS_MAX), .rlim_max = limit.rlim_max };
	setrlimit(RLIMIT_NOFILE, &bounded);
	server->lws = lws_create_context(&info);
	setrlimit(RLIMIT_NOFILE, &limit);
	if (server->lws)
		server->vhost = lws_create_vhost(server->lws, &info);
	lws_set_log_level(0, server_log_of_lws);
	was_heard = server->vhost;
	pthread_mutex_unlock(&lock);
	return server->vhost;
}

static void server_free_server(struct ws_server *server)
{
	map_release(&server->addresses);
	mem_free(server);
}

static void server_on_ended(uv_handle_t *handle)
{
	struct ws_server *server = handle->data;
	void (*closed)(void *) = server->closed;
	void *arg = server->closed_arg;

	server_free_server(server);
	if (closed)
		closed(arg);
}

/*
 * With a loop that is not its own, lws is destroyed in two steps. The first closes every connection; libuv closes their
 * handles at the end of that turn, and those of lws itself at the end of the next. The second step frees lws and unloads
 * the code of the callbacks of those handles, so it must come after both.
 */
static void server_on_turn(uv_idle_t *ending)
{
	struct ws_server *server = ending->data;

	if (server->turns == 0 || server->turns == 3)
		lws_context_destroy(server->lws);
	if (server->turns++ == 3)
		uv_close((uv_handle_t *)&server->ending, server_on_ended);
}

static void server_begin_to_end(struct ws_server *server)
{
	server->is_closing = true;
	uv_idle_init(&server->worker->loop, &server->ending);
	server->ending.data = server;
	uv_idle_start(&server->ending, server_on_turn);
}

err_t ws_server_new(struct ws_server **out, struct worker *worker, const struct ws_server_options *options)
{
	struct ws_server *server = MEM_NEW(struct ws_server);
	int on = 1, unsent_max = UNSENT_MAX;

	assert(options->subprotocol_count > 0 && options->subprotocol_count <= UINT8_MAX);
	server->options = *options;
	server->worker = worker;
	list_init(&server->handshakes);
	map_init(&server->addresses, ws_handshake_address_key);
	timer_init(&server->accept_again, server_on_accept_again);
	server->reading = (struct ws_reader_rules){ .sender = WS_CLIENT, .max_message = options->max_message };

	err_t err = listener_open(&server->listen_fd, options->listen, options->shares_port);
	if (err) {
		server_free_server(server);
		return err;
	}
	/* Connections inherit both: frames leave at once, and bytes for a slow reader wait in our queues, not the kernel's. */
	setsockopt(server->listen_fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(server->listen_fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent_max, sizeof(unsent_max));
	server->port = listener_port(server->listen_fd);
	if (!server_make_context(server) || uv_poll_init(&worker->loop, &server->listener, server->listen_fd)) {
		log_error("cannot start libwebsockets");
		close(server->listen_fd);
		if (server->lws)
			server_begin_to_end(server);
		else
			server_free_server(server);
		return ERR_INTERNAL;
	}
	server->listener.data = server;
	server_begin_to_accept(server);
	*out = server;
	return OK;
}

uint16_t ws_server_port(const struct ws_server *server)
{
	return server->port;
}

static void server_close_listener(struct ws_server *server)
{
	if (server->listen_fd < 0)
		return;
	worker_cancel(server->worker, &server->accept_again);
	uv_close((uv_handle_t *)&server->listener, NULL);
	close(server->listen_fd);
	server->listen_fd = -1;
}

void ws_server_stop_listening(struct ws_server *server)
{
	server_close_listener(server);
	ws_handshake_refuse_all(server);
}

unsigned ws_server_connections(const struct ws_server *server)
{
	return server->connections;
}

void ws_server_close(struct ws_server *server, void (*closed)(void *arg), void *arg)
{
	assert(!server->is_closing);
	server_close_listener(server);
	ws_handshake_drop_all(server);
	server->closed = closed;
	server->closed_arg = arg;
	server_begin_to_end(server);
}
