#include "net/ws/ws_handshake.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/http/problem.h"
#include "net/ws/ws_conn.h"
#include "net/ws/ws_internal.h"
#include "net/ws/ws_request.h"

/*
 * A handshake owns its socket from the accept until lws takes it over. The socket of a refused one stays open until the
 * client has hung up: closing it at once, with bytes of the client unread, would reset the connection and lose the answer.
 */

#define HEAD_MAX 16384 /* a token of 4 KiB takes 12 KiB percent-encoded */
#define READ_SIZE 4096
#define LINGER_MS 2000

/* One for each address with handshakes under way. */
struct source_address {
	struct map_node node;
	struct ws_ip key; /* ws_ip_network() */
	unsigned handshakes;
};

struct handshake {
	struct list link; /* in server->handshakes */
	struct ws_server *server;
	struct source_address *address; /* NULL: it is not counted any more, because its client is known */
	struct ws_ip ip;
	uv_poll_t poll;
	struct timer deadline;
	struct buf head; /* the received part; empty if the whole head arrives at once, and once the client is known */
	struct ws_conn *conn; /* of a client that waits for ws_admit(); NULL otherwise */
	struct buf early; /* what it has sent after its request */
	char proof[WS_PROOF_SIZE]; /* for the 101 */
	bool names_subprotocol; /* in the 101 */
	int fd; /* -1 after lws took it over */
	bool is_answered; /* refused: waits for the client to hang up */
	bool is_over; /* freed when libuv has closed `poll` */
};

struct str ws_handshake_address_key(const struct map_node *node)
{
	const struct source_address *address = container_of(node, struct source_address, node);

	return str_of(&address->key, sizeof(address->key));
}

static struct source_address *handshake_find_address(const struct ws_server *server, const struct ws_ip *key)
{
	struct map_node *node = map_find(&server->addresses, str_of(key, sizeof(*key)));

	return node ? container_of(node, struct source_address, node) : NULL;
}

bool ws_handshake_is_within_cap(const struct ws_server *server, const struct ws_ip *ip)
{
	struct ws_ip key = ws_ip_network(ip);
	struct source_address *address = handshake_find_address(server, &key);

	return !address || address->handshakes < server->options.max_handshakes_per_address;
}

static void handshake_free_handshake(uv_handle_t *handle)
{
	struct handshake *handshake = handle->data;

	buf_release(&handshake->head);
	buf_release(&handshake->early);
	mem_free(handshake);
}

/* It counts against the limits for clients that are not authenticated, once. */
static void handshake_uncount(struct handshake *handshake)
{
	struct ws_server *server = handshake->server;

	if (!handshake->address)
		return;
	if (--handshake->address->handshakes == 0) {
		map_remove(&server->addresses, &handshake->address->node);
		mem_free(handshake->address);
	}
	handshake->address = NULL;
	ws_budget_give(server->options.budget, handshake->head.len);
	ws_budget_leave(server->options.budget);
}

/* The connection of a client that waited for ws_admit(), and waits no more; NULL: it did not. */
static struct ws_conn *handshake_take_conn(struct handshake *handshake)
{
	struct ws_conn *conn = handshake->conn;

	handshake->conn = NULL;
	if (conn)
		conn->held = NULL;
	return conn;
}

static void handshake_drop_conn(struct handshake *handshake)
{
	struct ws_conn *conn = handshake_take_conn(handshake);

	if (!conn)
		return;
	ws_conn_finish(conn);
	ws_conn_free(conn);
}

static void handshake_end(struct handshake *handshake)
{
	struct ws_server *server = handshake->server;

	if (handshake->is_over)
		return;
	handshake->is_over = true;
	handshake_drop_conn(handshake);
	list_remove(&handshake->link);
	worker_cancel(server->worker, &handshake->deadline);
	handshake_uncount(handshake);
	uv_close((uv_handle_t *)&handshake->poll, handshake_free_handshake);
	if (handshake->fd >= 0)
		close(handshake->fd);
}

static void handshake_on_deadline(struct timer *timer)
{
	handshake_end(container_of(timer, struct handshake, deadline));
}

static void handshake_on_readable(uv_poll_t *poll, int status, int events);

/* Status line and header of an answer with a problem document. */
struct status_line {
	int status;
	const char *phrase;
	const char *field;
};

static const struct status_line *handshake_status_line(int status)
{
	static const struct status_line lines[] = {
		{ 400, "Bad Request", "Sec-WebSocket-Version: 13\r\n" },
		{ 401, "Unauthorized", "WWW-Authenticate: Bearer\r\n" },
		{ 403, "Forbidden", "" },
		{ 404, "Not Found", "" },
		{ 405, "Method Not Allowed", "Allow: GET\r\n" },
		{ 413, "Content Too Large", "" },
		{ 429, "Too Many Requests", "Retry-After: 1\r\n" },
		{ 503, "Service Unavailable", "Retry-After: 1\r\n" },
	};
	static const struct status_line other = { 0, "Refused", "" };

	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		if (lines[i].status == status)
			return &lines[i];
	return &other;
}

/* A few hundred bytes into an empty socket: they fit, or the client is gone. */
static bool handshake_send(const struct handshake *handshake, const struct buf *answer)
{
	return send(handshake->fd, answer->ptr, answer->len, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)answer->len;
}

static void handshake_refuse(struct handshake *handshake, err_t err, const char *detail)
{
	struct ws_server *server = handshake->server;
	int status = err_http_status(err);
	const struct status_line *line = handshake_status_line(status);
	struct buf answer = { 0 }, problem = { 0 };

	handshake_drop_conn(handshake);
	http_write_problem(&problem, err, NULL, detail);
	buf_printf(&answer, "HTTP/1.1 %d %s\r\n%sConnection: close\r\n", status, line->phrase, line->field);
	buf_printf(&answer, "Content-Type: application/problem+json\r\nContent-Length: %zu\r\n\r\n", problem.len);
	buf_append_str(&answer, buf_str(&problem));
	buf_release(&problem);
	bool is_sent = handshake_send(handshake, &answer);
	buf_release(&answer);
	if (!is_sent || shutdown(handshake->fd, SHUT_WR)) {
		handshake_end(handshake);
		return;
	}
	handshake->is_answered = true;
	uv_poll_start(&handshake->poll, UV_READABLE, handshake_on_readable);
	worker_arm_in(server->worker, &handshake->deadline, MIN(server->options.handshake_timeout_ms, LINGER_MS));
}

/* Sends the 101. False: the client is gone. */
static bool handshake_welcome(const struct handshake *handshake, unsigned subprotocol)
{
	struct buf answer = { 0 };

	buf_append_text(&answer, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n");
	buf_printf(&answer, "Sec-WebSocket-Accept: %s\r\n", handshake->proof);
	if (handshake->names_subprotocol)
		buf_printf(&answer, "Sec-WebSocket-Protocol: %s\r\n",
		           handshake->server->options.subprotocols[subprotocol]);
	buf_append_text(&answer, "\r\n");
	bool is_sent = handshake_send(handshake, &answer);
	buf_release(&answer);
	return is_sent;
}

static void handshake_hand_over(struct handshake *handshake, struct ws_conn *conn, struct str early)
{
	int fd = handshake->fd;

	if (!handshake_welcome(handshake, conn->subprotocol)) {
		ws_conn_finish(conn);
		ws_conn_free(conn);
		handshake_end(handshake);
		return;
	}
	handshake->fd = -1;
	handshake_end(handshake); /* its memory stays until the loop's next turn */
	ws_conn_adopt(conn, fd, (char *)early.ptr, early.len);
}

/*
 * The client waits until ws_admit(). Nothing more is read from it, so that a client cannot fill memory here; only its end is
 * watched for. It has been authenticated, so it does not count any more.
 */
static void handshake_hold(struct handshake *handshake, struct ws_conn *conn, struct str early)
{
	const struct ws_server_options *options = &handshake->server->options;

	handshake_uncount(handshake);
	buf_append_str(&handshake->early, early);
	buf_release(&handshake->head); /* with `early`, which points into it */
	handshake->conn = conn;
	conn->held = handshake;
	uv_poll_start(&handshake->poll, UV_DISCONNECT, handshake_on_readable);
	options->handlers.ask(conn, conn->session, options->arg);
}

void ws_admit(struct ws_conn *conn, err_t err, const char *detail)
{
	struct handshake *handshake = conn->held;

	if (!handshake)
		return;
	if (err)
		handshake_refuse(handshake, err, detail);
	else
		handshake_hand_over(handshake, handshake_take_conn(handshake), buf_str(&handshake->early));
}

/* Everything that can be decided without the handler. */
static err_t handshake_judge(const struct ws_server_options *options, const struct ws_request *request, unsigned *subprotocol,
                             const char **detail)
{
	*subprotocol = 0;
	if (!str_equal(request->path, str_from(options->path))) {
		*detail = "there is nothing at this path";
		return ERR_NOT_FOUND;
	}
	err_t err = ws_request_check_upgrade(request, detail);
	if (err)
		return err;
	if (request->offer_count &&
	    !ws_request_pick(request, options->subprotocols, options->subprotocol_count, subprotocol)) {
		*detail = "none of the offered subprotocols is spoken here";
		return ERR_INVALID_ARGUMENT;
	}
	return OK;
}

static void handshake_decide(struct handshake *handshake, const struct ws_request *request, struct str early)
{
	struct ws_server *server = handshake->server;
	const struct ws_server_options *options = &server->options;
	char address[INET6_ADDRSTRLEN];
	const struct ws_handshake asked = {
		.path = request->path,
		.address = ws_ip_text(&handshake->ip, address),
		.authorization = request->authorization,
		.wants_subprotocol = request->offer_count > 0,
		.request = request,
	};
	const char *detail = NULL;
	unsigned subprotocol;

	err_t err = handshake_judge(options, request, &subprotocol, &detail);
	if (err) {
		handshake_refuse(handshake, err, detail);
		return;
	}
	struct ws_conn *conn = ws_conn_new(server, &handshake->ip, subprotocol);
	err = options->handlers.accept(&asked, subprotocol, conn->session, &detail, options->arg);
	if (handshake->is_answered || handshake->is_over) {
		/* Inside `accept` the handler closed the server or its listener. */
		if (err == OK)
			ws_conn_finish(conn);
		ws_conn_free(conn);
	} else if (err) {
		ws_conn_free(conn);
		handshake_refuse(handshake, err, detail);
	} else {
		ws_request_prove(request, handshake->proof);
		handshake->names_subprotocol = request->offer_count > 0;
		if (options->handlers.ask)
			handshake_hold(handshake, conn, early);
		else
			handshake_hand_over(handshake, conn, early);
	}
}

static void handshake_answer(struct handshake *handshake, struct str received, size_t head_len)
{
	struct str early = str_of(received.ptr + head_len, received.len - head_len);
	struct ws_request request;
	const char *detail;

	err_t err = ws_request_parse(&request, str_of(received.ptr, head_len), &detail);
	if (err)
		handshake_refuse(handshake, err, detail);
	else
		handshake_decide(handshake, &request, early);
	ws_request_release(&request);
}

/* The length of the head with its empty line, or 0 if that has not arrived yet. `seen` bytes were searched before. */
static size_t handshake_find_end(struct str received, size_t seen)
{
	size_t from = seen > 3 ? seen - 3 : 0;
	const char *end_of_head = memmem(received.ptr + from, received.len - from, "\r\n\r\n", 4);

	return end_of_head ? (size_t)(end_of_head - received.ptr) + 4 : 0;
}

static void handshake_read_head(struct handshake *handshake)
{
	struct buf *kept = &handshake->head;
	size_t seen = kept->len;
	char bytes[READ_SIZE];
	ssize_t len = recv(handshake->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (len <= 0) {
		if (len == 0 || (errno != EAGAIN && errno != EINTR))
			handshake_end(handshake);
		return;
	}
	/* Most requests arrive in one piece and are parsed on the stack. */
	struct str received = str_of(bytes, (size_t)len);
	size_t head_len = seen ? 0 : handshake_find_end(received, 0);
	if (!head_len) {
		if (!ws_budget_take(handshake->server->options.budget, received.len)) {
			handshake_refuse(handshake, ERR_UNAVAILABLE, "too many requests are being read");
			return;
		}
		buf_append_str(kept, received);
		received = buf_str(kept);
		head_len = handshake_find_end(received, seen);
	}
	if (head_len > HEAD_MAX || (!head_len && received.len > HEAD_MAX))
		handshake_refuse(handshake, ERR_TOO_LARGE, "the head of the request is too large");
	else if (head_len)
		handshake_answer(handshake, received, head_len);
	else if (received.ptr[0] < 'A' || received.ptr[0] > 'Z')
		handshake_refuse(handshake, ERR_INVALID_ARGUMENT,
		                 "this is no HTTP request"); /* probably TLS: the end of the head would never arrive */
}

static void handshake_on_readable(uv_poll_t *poll, int status, int events)
{
	struct handshake *handshake = poll->data;
	(void)events;

	if (status < 0 || handshake->conn) {
		handshake_end(handshake); /* the client that waits has hung up */
	} else if (handshake->is_answered) {
		/* Refused: the rest of the request is dropped until the client hangs up. */
		char bytes[READ_SIZE];
		ssize_t len = recv(handshake->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
		if (len == 0 || (len < 0 && errno != EAGAIN && errno != EINTR))
			handshake_end(handshake);
	} else {
		handshake_read_head(handshake);
	}
}

void ws_handshake_begin(struct ws_server *server, int fd, const struct ws_ip *ip)
{
	struct handshake *handshake = MEM_NEW(struct handshake);
	struct ws_ip key = ws_ip_network(ip);

	if (uv_poll_init(&server->worker->loop, &handshake->poll, fd)) {
		mem_free(handshake);
		close(fd);
		return;
	}
	handshake->poll.data = handshake;
	handshake->server = server;
	handshake->ip = *ip;
	handshake->fd = fd;
	handshake->address = handshake_find_address(server, &key);
	if (!handshake->address) {
		handshake->address = MEM_NEW(struct source_address);
		handshake->address->key = key;
		map_put(&server->addresses, &handshake->address->node);
	}
	handshake->address->handshakes++;
	list_push_back(&server->handshakes, &handshake->link);
	timer_init(&handshake->deadline, handshake_on_deadline);
	worker_arm_in(server->worker, &handshake->deadline, server->options.handshake_timeout_ms);
	uv_poll_start(&handshake->poll, UV_READABLE, handshake_on_readable);
}

void ws_handshake_refuse_all(struct ws_server *server)
{
	list_for_each(link, &server->handshakes) {
		struct handshake *handshake = container_of(link, struct handshake, link);
		if (!handshake->is_answered)
			handshake_refuse(handshake, ERR_UNAVAILABLE, "this node is going away");
	}
}

void ws_handshake_drop_all(struct ws_server *server)
{
	while (!list_is_empty(&server->handshakes))
		handshake_end(container_of(server->handshakes.next, struct handshake, link));
}

int ws_query(const struct ws_handshake *handshake, const char *name, char *out, size_t size)
{
	const struct ws_request *request = handshake->request;
	const struct uri_field *found = NULL;

	out[0] = '\0';
	for (int i = 0; i < request->query_count; i++) {
		if (!str_equal(request->query[i].name, str_from(name)))
			continue;
		if (found)
			return WS_QUERY_BAD;
		found = &request->query[i];
	}
	if (!found)
		return WS_QUERY_ABSENT;
	return str_copy(out, size, found->value) ? (int)found->value.len : WS_QUERY_BAD;
}
