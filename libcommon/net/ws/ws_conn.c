#include "net/ws/ws_conn.h"

#include <errno.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/telemetry/log.h"
#include "base/mem.h"
#include "base/ws/ws_frame.h"
#include "net/ws/ws_internal.h"

/*
 * lws sees raw bytes: it watches the socket and reads. Bytes are sent here, not by lws: it would read nothing from a peer that
 * does not read, and wake all the same when that peer sends.
 *
 * lws is never asked to close a connection, because it may be on the stack: the socket is shut down instead, and lws notices
 * on its next turn.
 */

/* A part of a message or of a frame has arrived. */
struct incoming {
	struct ws_reader reader;
	struct timer deadline;
	struct ws_conn *conn;
};

struct closing {
	struct timer deadline;
	struct ws_conn *conn;
};

/* The socket took only a part of a write. */
struct backlog {
	struct buf bytes; /* that it did not take */
	size_t sent; /* of these, since then */
	size_t pong_len; /* of the answer to the last ping that came since then; 0: none came */
	unsigned char pong[WS_HEADER_MAX + WS_CONTROL_MAX];
};

struct ws_conn *ws_conn_new(struct ws_server *server, const struct ws_ip *ip, unsigned subprotocol)
{
	struct ws_conn *conn = mem_zalloc(sizeof(*conn) + server->options.session_size);

	conn->server = server;
	conn->ip = *ip;
	conn->subprotocol = (uint8_t)subprotocol;
	conn->code = 1006;
	conn->state = WS_CONNECTING;
	return conn;
}

static void conn_forget_incoming(struct ws_conn *conn)
{
	if (!conn->incoming)
		return;
	worker_cancel(conn->server->worker, &conn->incoming->deadline);
	ws_reader_release(&conn->incoming->reader);
	mem_free(conn->incoming);
	conn->incoming = NULL;
}

static void conn_forget_deadline(struct ws_conn *conn)
{
	if (!conn->closing)
		return;
	worker_cancel(conn->server->worker, &conn->closing->deadline);
	mem_free(conn->closing);
	conn->closing = NULL;
}

static void conn_forget_backlog(struct ws_conn *conn)
{
	if (!conn->backlog)
		return;
	buf_release(&conn->backlog->bytes);
	mem_free(conn->backlog);
	conn->backlog = NULL;
}

void ws_conn_free(struct ws_conn *conn)
{
	conn_forget_incoming(conn);
	conn_forget_deadline(conn);
	conn_forget_backlog(conn);
	mem_free(conn);
}

void ws_conn_finish(struct ws_conn *conn)
{
	struct ws_server *server = conn->server;

	if (conn->state == WS_CLOSED)
		return;
	conn->state = WS_CLOSED;
	if (conn->was_opened)
		server->connections--;
	conn_forget_incoming(conn);
	conn_forget_deadline(conn);
	server->options.handlers.closed(conn, conn->session, conn->code, server->options.arg);
}

/* ---- writing ---- */

/* What the socket takes; -1 when the connection is broken. */
static ssize_t conn_send_now(const struct ws_conn *conn, const void *bytes, size_t len)
{
	ssize_t sent = send(lws_get_socket_fd(conn->wsi), bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);

	return sent < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : sent;
}

/* False when the connection is broken. */
static bool conn_send(struct ws_conn *conn, const void *bytes, size_t len)
{
	ssize_t sent = conn->backlog ? 0 : conn_send_now(conn, bytes, len);

	if (sent < 0)
		return false;
	if ((size_t)sent == len)
		return true;
	if (!conn->backlog) {
		conn->backlog = MEM_NEW(struct backlog);
		lws_callback_on_writable(conn->wsi);
	}
	buf_append(&conn->backlog->bytes, (const char *)bytes + sent, len - (size_t)sent);
	return true;
}

err_t ws_write(struct ws_conn *conn, const void *frames, size_t len)
{
	if (conn->state != WS_OPEN)
		return ERR_CLOSED;
	if (len == 0 || conn_send(conn, frames, len))
		return OK;
	ws_drop(conn);
	return ERR_CLOSED;
}

bool ws_is_blocked(const struct ws_conn *conn)
{
	return conn->backlog;
}

size_t ws_held_bytes(const struct ws_conn *conn)
{
	const struct backlog *backlog = conn->backlog;
	int in_kernel = 0;

	if (!backlog)
		return 0;
	ioctl(lws_get_socket_fd(conn->wsi), SIOCOUTQ, &in_kernel);
	return backlog->bytes.len - backlog->sent + (size_t)in_kernel;
}

void ws_ping(struct ws_conn *conn, struct str payload)
{
	unsigned char frame[WS_HEADER_MAX + WS_CONTROL_MAX];
	size_t header = ws_frame_header(frame, WS_PING, payload.len);

	memcpy(frame + header, payload.ptr, payload.len);
	if (ws_write(conn, frame, header + payload.len))
		return; /* closing already: there is nothing to probe */
}

/* A blocked connection is owed one pong: that of the last ping. RFC 6455 section 5.5.3 allows that. */
static void conn_answer_ping(struct ws_conn *conn, struct str payload)
{
	struct backlog *backlog = conn->backlog;
	unsigned char frame[sizeof(backlog->pong)];
	unsigned char *pong = backlog ? backlog->pong : frame;
	size_t len = ws_frame_header(pong, WS_PONG, payload.len);

	memcpy(pong + len, payload.ptr, payload.len);
	len += payload.len;
	if (backlog)
		backlog->pong_len = len;
	else if (ws_write(conn, pong, len))
		return; /* it is broken: `closed` follows */
}

/* ---- closing ---- */

/* Ends the connection with a reset, so that the kernel keeps no bytes for a peer that is gone. */
static void conn_cut_off(struct ws_conn *conn)
{
	struct linger none = { .l_onoff = 1, .l_linger = 0 };
	int fd = lws_get_socket_fd(conn->wsi);

	conn->state = WS_BROKEN;
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
	shutdown(fd, SHUT_RDWR);
}

static void conn_on_deadline(struct timer *timer)
{
	conn_cut_off(container_of(timer, struct closing, deadline)->conn);
}

static void conn_arm_deadline(struct ws_conn *conn)
{
	struct ws_server *server = conn->server;

	if (conn->closing)
		return;
	conn->closing = MEM_NEW(struct closing);
	conn->closing->conn = conn;
	timer_init(&conn->closing->deadline, conn_on_deadline);
	worker_arm_in(server->worker, &conn->closing->deadline, server->options.close_timeout_ms);
}

/*
 * Nothing more is sent. When the last bytes have been handed to the kernel, the socket is shut down; of a connection that lingers
 * only the sending half, and the peer closes the other one, or the deadline does. What such a peer sends until then is read and
 * dropped: the kernel would answer it with a reset, and who is still sending when that comes never reads the close frame.
 */
static void conn_leave(struct ws_conn *conn, enum ws_state how)
{
	conn->state = how;
	conn_arm_deadline(conn);
	if (conn->backlog)
		return; /* conn_on_writeable() comes back here */
	if (how == WS_LEAVING)
		conn->state = WS_BROKEN;
	shutdown(lws_get_socket_fd(conn->wsi), how == WS_LEAVING ? SHUT_RDWR : SHUT_WR);
}

void ws_close(struct ws_conn *conn, uint16_t code, const char *reason)
{
	unsigned char frame[WS_CLOSE_FRAME_MAX];

	if (conn->state != WS_OPEN)
		return;
	if (!conn_send(conn, frame, ws_close_frame(frame, code, reason))) {
		ws_drop(conn);
		return;
	}
	conn->state = WS_CLOSING;
	conn->code = code;
	conn_arm_deadline(conn);
}

void ws_drop(struct ws_conn *conn)
{
	if (conn->state != WS_CONNECTING && conn->state != WS_BROKEN && conn->state != WS_CLOSED)
		conn_cut_off(conn);
}

void *ws_session(struct ws_conn *conn)
{
	return conn->session;
}

unsigned ws_subprotocol(const struct ws_conn *conn)
{
	return conn->subprotocol;
}

struct str ws_address(const struct ws_conn *conn)
{
	return ws_ip_text(&conn->ip, conn->server->address_text);
}

/* ---- reading ---- */

static void conn_on_peer_close(struct ws_conn *conn, uint16_t code)
{
	unsigned char frame[WS_CLOSE_FRAME_MAX];

	if (conn->state == WS_OPEN) {
		conn->code = code;
		if (!conn_send(conn, frame, ws_close_frame(frame, code, NULL))) {
			ws_drop(conn);
			return;
		}
	}
	conn_leave(conn, WS_LEAVING);
}

/* The rest of the stream cannot be read, so the peer's close frame is not waited for. */
static void conn_on_violation(struct ws_conn *conn, const struct ws_message *message)
{
	ws_close(conn, message->code, message->violation);
	if (conn->state == WS_CLOSING)
		conn_leave(conn, WS_LINGERING);
}

static void conn_on_event(struct ws_conn *conn, enum ws_event event, const struct ws_message *message)
{
	const struct ws_handlers *handlers = &conn->server->options.handlers;
	void *arg = conn->server->options.arg;

	if (event == WS_GOT_CLOSE)
		conn_on_peer_close(conn, message->code);
	else if (event == WS_GOT_VIOLATION)
		conn_on_violation(conn, message);
	else if (conn->state != WS_OPEN)
		return; /* it is closing: only the peer's close frame matters */
	else if (event == WS_GOT_PING)
		conn_answer_ping(conn, message->payload);
	else if (event == WS_GOT_PONG)
		handlers->pong(conn, conn->session, message->payload, arg);
	else
		handlers->message(conn, conn->session, event == WS_GOT_BINARY, message->payload, arg);
}

static void conn_on_unfinished(struct timer *timer)
{
	ws_close(container_of(timer, struct incoming, deadline)->conn, 1008, "a message was not finished in time");
}

/* Keeps the reader of a message that has not arrived as a whole. */
static void conn_keep(struct ws_conn *conn, const struct ws_reader *reader)
{
	conn->incoming = MEM_NEW(struct incoming);
	conn->incoming->reader = *reader;
	conn->incoming->conn = conn;
	timer_init(&conn->incoming->deadline, conn_on_unfinished);
}

/* After a piece: `is_new` if the unfinished message, if there is one, began in it. That starts the message's deadline. */
static void conn_keep_or_forget(struct ws_conn *conn, struct ws_reader *reader, bool is_new)
{
	struct ws_server *server = conn->server;
	bool is_read = conn->state == WS_OPEN || conn->state == WS_CLOSING;

	if (is_read && ws_reader_is_in_the_middle(reader)) {
		if (!conn->incoming)
			conn_keep(conn, reader);
		if (is_new)
			worker_arm_in(server->worker, &conn->incoming->deadline, server->options.message_timeout_ms);
	} else if (conn->incoming) {
		conn_forget_incoming(conn);
	} else {
		ws_reader_release(reader);
	}
}

/* Tells the handlers of the frames that have arrived. False: the connection is not to be read any more. */
static bool conn_count_frames(struct ws_conn *conn, struct ws_reader *reader)
{
	const struct ws_server_options *options = &conn->server->options;
	unsigned count = reader->frames;

	reader->frames = 0;
	return !count || conn->state != WS_OPEN || options->handlers.frames(conn, conn->session, count, options->arg);
}

/*
 * Reads a piece of the stream. Most pieces are whole frames, which need no memory of the connection: their reader is on the
 * stack.
 */
static void conn_read(struct ws_conn *conn, char *bytes, size_t len)
{
	struct ws_reader fresh = { .rules = &conn->server->reading };
	struct ws_reader *reader = conn->incoming ? &conn->incoming->reader : &fresh;
	bool is_new = !conn->incoming;
	struct ws_message message;

	if (conn->state == WS_OPEN)
		conn->server->options.handlers.alive(conn, conn->session, conn->server->options.arg);
	while (conn->state == WS_OPEN || conn->state == WS_CLOSING) {
		enum ws_event event = ws_reader_take(reader, &bytes, &len, &message);

		if (!conn_count_frames(conn, reader))
			continue; /* it is closing now */
		if (event == WS_GOT_NOTHING)
			break;
		is_new = is_new || !ws_reader_is_inside_message(reader);
		conn_on_event(conn, event, &message);
	}
	conn_keep_or_forget(conn, reader, is_new);
}

/* ---- from lws ---- */

static void conn_on_opened(struct ws_conn *conn)
{
	struct ws_server *server = conn->server;

	conn->state = WS_OPEN;
	conn->was_opened = true;
	server->connections++;
	server->options.handlers.opened(conn, conn->session, server->options.arg);
}

static void conn_on_writeable(struct ws_conn *conn)
{
	struct ws_server *server = conn->server;
	struct backlog *backlog = conn->backlog;

	if (!backlog || conn->state == WS_BROKEN)
		return;
	ssize_t sent = conn_send_now(conn, backlog->bytes.ptr + backlog->sent, backlog->bytes.len - backlog->sent);
	if (sent < 0) {
		conn_cut_off(conn);
		return;
	}
	backlog->sent += (size_t)sent;
	if (backlog->sent < backlog->bytes.len) {
		lws_callback_on_writable(conn->wsi);
		return;
	}
	conn->backlog = NULL;
	if (backlog->pong_len && ws_write(conn, backlog->pong, backlog->pong_len))
		backlog->pong_len = 0; /* closing: no pong is due */
	buf_release(&backlog->bytes);
	mem_free(backlog);
	if (conn->state == WS_LEAVING || conn->state == WS_LINGERING)
		conn_leave(conn, conn->state);
	else if (conn->state == WS_OPEN && !conn->backlog)
		server->options.handlers.writable(conn, conn->session, server->options.arg);
}

int ws_conn_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
	struct ws_conn *conn = user;

	if (reason == LWS_CALLBACK_RAW_ADOPT) {
		struct ws_server *server = lws_context_user(lws_get_context(wsi));
		server->adopting->wsi = wsi;
		lws_set_wsi_user(wsi, server->adopting);
		return 0;
	}
	if (!conn)
		return 0; /* about lws itself */
	switch (reason) {
	case LWS_CALLBACK_RAW_RX:
		conn_read(conn, in, len);
		break;
	case LWS_CALLBACK_RAW_WRITEABLE:
		conn_on_writeable(conn);
		break;
	case LWS_CALLBACK_RAW_CLOSE:
		ws_conn_finish(conn);
		break;
	case LWS_CALLBACK_WSI_DESTROY:
		ws_conn_finish(conn);
		ws_conn_free(conn);
		break;
	default:
		break;
	}
	return 0;
}

void ws_conn_adopt(struct ws_conn *conn, int fd, char *bytes, size_t len)
{
	struct ws_server *server = conn->server;
	lws_sock_file_fd_type socket = { .sockfd = fd };

	server->adopting = conn;
	struct lws *wsi = lws_adopt_descriptor_vhost(server->vhost, LWS_ADOPT_SOCKET, socket, "raw", NULL);
	server->adopting = NULL;
	if (!wsi) {
		/* It fails before RAW_ADOPT, if at all: lws does not know the connection. */
		log_warn("libwebsockets refused a connection", LOG_STR("address", ws_address(conn)));
		ws_conn_finish(conn);
		ws_conn_free(conn);
		return;
	}
	conn_on_opened(conn);
	if (len)
		conn_read(conn, bytes, len);
}
