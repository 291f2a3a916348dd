#include "net/ws/ws_conn.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/telemetry/log.h"
#include "base/mem.h"
#include "base/text/utf8.h"
#include "base/ws/ws_frame.h"
#include "net/ws/ws_internal.h"

/*
 * Frames leave through LWS_WRITE_RAW: the bytes that the caller encoded go out unchanged, in one system call. lws keeps
 * the bytes that the socket does not take, in order with its own pongs.
 *
 * lws is never asked to close a connection, because it may be on the stack: conn_cut_off() shuts the socket down instead,
 * and lws notices on its next turn.
 */

struct closing {
	struct timer deadline;
	struct ws_conn *conn;
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

static void conn_forget_partial(struct ws_conn *conn)
{
	if (!conn->partial)
		return;
	buf_release(conn->partial);
	mem_free(conn->partial);
	conn->partial = NULL;
}

static void conn_forget_deadline(struct ws_conn *conn)
{
	if (!conn->closing)
		return;
	worker_cancel(conn->server->worker, &conn->closing->deadline);
	mem_free(conn->closing);
	conn->closing = NULL;
}

void ws_conn_free(struct ws_conn *conn)
{
	conn_forget_partial(conn);
	conn_forget_deadline(conn);
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
	conn_forget_partial(conn);
	conn_forget_deadline(conn);
	server->options.handlers.closed(conn, conn->session, conn->code, server->options.arg);
}

/* Ends the connection with a reset, so that the kernel keeps no bytes for a peer that is gone. */
static void conn_cut_off(struct ws_conn *conn)
{
	struct linger none = { .l_onoff = 1, .l_linger = 0 };
	int fd = lws_get_socket_fd(conn->wsi);

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
	shutdown(fd, SHUT_RDWR);
}

static void conn_on_deadline(struct timer *timer)
{
	struct closing *closing = container_of(timer, struct closing, deadline);

	closing->conn->state = WS_BROKEN;
	conn_cut_off(closing->conn);
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

/* False when the connection is broken. */
static bool conn_write_raw(struct ws_conn *conn, const void *bytes, size_t len)
{
	if (lws_write(conn->wsi, (unsigned char *)bytes, len, LWS_WRITE_RAW) < 0)
		return false;
	if (lws_partial_buffered(conn->wsi))
		conn->is_blocked = true;
	return true;
}

err_t ws_write(struct ws_conn *conn, const void *frames, size_t len)
{
	if (conn->state != WS_OPEN)
		return ERR_CLOSED;
	if (len == 0 || conn_write_raw(conn, frames, len))
		return OK;
	ws_drop(conn);
	return ERR_CLOSED;
}

bool ws_is_blocked(const struct ws_conn *conn)
{
	return conn->is_blocked;
}

void ws_ping(struct ws_conn *conn)
{
	static const char payload[] = { 's', 'k' };
	unsigned char frame[WS_HEADER_MAX + sizeof(payload)];
	size_t header = ws_frame_header(frame, WS_PING, sizeof(payload));

	memcpy(frame + header, payload, sizeof(payload));
	if (ws_write(conn, frame, header + sizeof(payload)))
		return; /* closing already: there is nothing to probe */
}

void ws_close(struct ws_conn *conn, uint16_t code, const char *reason)
{
	unsigned char frame[WS_CLOSE_FRAME_MAX];

	if (conn->state != WS_OPEN)
		return;
	if (!conn_write_raw(conn, frame, ws_close_frame(frame, code, reason))) {
		ws_drop(conn);
		return;
	}
	conn->state = WS_CLOSING;
	conn->code = code;
	conn_forget_partial(conn);
	conn_arm_deadline(conn);
}

void ws_drop(struct ws_conn *conn)
{
	if (conn->state != WS_OPEN && conn->state != WS_CLOSING)
		return;
	conn->state = WS_BROKEN;
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

static void conn_deliver(struct ws_conn *conn, struct str message)
{
	struct ws_server *server = conn->server;
	bool is_binary = lws_frame_is_binary(conn->wsi);

	if (!is_binary && !utf8_is_valid(message))
		ws_close(conn, 1007, "text is not UTF-8");
	else
		server->options.handlers.message(conn, conn->session, is_binary, message, server->options.arg);
}

/* lws hands out frames in pieces of its read buffer; a message ends with its last frame. */
static void conn_take_piece(struct ws_conn *conn, struct str piece)
{
	size_t max = conn->server->options.max_message;
	size_t total = piece.len + (conn->partial ? conn->partial->len : 0);
	size_t announced = lws_remaining_packet_payload(conn->wsi);

	if (total > max || announced > max - total) {
		ws_close(conn, 1009, "message too large");
		return;
	}
	if (lws_is_final_fragment(conn->wsi) && !conn->partial) {
		conn_deliver(conn, piece);
		return;
	}
	if (!conn->partial)
		conn->partial = MEM_NEW(struct buf);
	buf_append_str(conn->partial, piece);
	if (!lws_is_final_fragment(conn->wsi))
		return;
	/* Taken out first: the handler may close the connection, which frees a partial message. */
	struct buf whole = *conn->partial;
	mem_free(conn->partial);
	conn->partial = NULL;
	conn_deliver(conn, buf_str(&whole));
	buf_release(&whole);
}

/* True if the connection is still open after the handler. */
static bool conn_tell_alive(struct ws_conn *conn)
{
	struct ws_server *server = conn->server;

	if (conn->state == WS_OPEN)
		server->options.handlers.alive(conn, conn->session, server->options.arg);
	return conn->state == WS_OPEN;
}

static void conn_on_established(struct ws_conn *conn)
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

	if (conn->state != WS_OPEN || lws_partial_buffered(conn->wsi))
		return;
	if (conn->is_blocked) {
		conn->is_blocked = false;
		server->options.handlers.writable(conn, conn->session, server->options.arg);
	} else {
		/* We asked for no such call: lws has answered a ping, which it does not report otherwise. */
		conn_tell_alive(conn);
	}
}

/* The code to answer a close frame with. lws has replaced codes that must not be sent by 1002. */
static uint16_t conn_code_of_close(struct str payload)
{
	if (payload.len == 0)
		return WS_NO_CODE;
	if (payload.len == 1)
		return 1002;
	if (!utf8_is_valid(str_of(payload.ptr + 2, payload.len - 2)))
		return 1007;
	return (uint16_t)((unsigned char)payload.ptr[0] << 8 | (unsigned char)payload.ptr[1]);
}

/* Returning -1 from here makes lws close the socket, once the queued bytes have left. */
static int conn_on_peer_close(struct ws_conn *conn, struct str payload)
{
	unsigned char frame[WS_CLOSE_FRAME_MAX];

	if (conn->state == WS_OPEN) {
		conn->code = conn_code_of_close(payload);
		conn_write_raw(conn, frame, ws_close_frame(frame, conn->code, NULL));
		conn_arm_deadline(conn);
	}
	conn->state = WS_BROKEN;
	return -1;
}

static bool conn_peer_hung_up(struct lws *wsi)
{
	char byte;
	ssize_t len = recv(lws_get_socket_fd(wsi), &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	return len == 0 || (len < 0 && errno != EAGAIN);
}

/*
 * lws has begun to close, for a reason of its own. If it prepared a close frame, it sends that and waits for the answer. For
 * some violations it prepares none and hangs up: then the close frame is sent here.
 */
static void conn_on_lws_closing(struct ws_conn *conn)
{
	unsigned char frame[WS_CLOSE_FRAME_MAX];

	if (conn->state != WS_OPEN)
		return;
	if (lws_get_close_length(conn->wsi) >= 2) {
		const unsigned char *payload = lws_get_close_payload(conn->wsi);
		conn->code = (uint16_t)(payload[0] << 8 | payload[1]);
		conn->state = WS_CLOSING;
		conn_arm_deadline(conn);
		return;
	}
	if (!conn->server->is_closing && !conn_peer_hung_up(conn->wsi)) {
		conn->code = 1002;
		conn_write_raw(conn, frame, ws_close_frame(frame, conn->code, NULL));
	}
	conn->state = WS_BROKEN;
	conn_arm_deadline(conn); /* lws may be waiting for queued bytes to leave */
}

static void conn_on_destroyed(struct ws_conn *conn)
{
	conn->server->sockets--;
	ws_conn_finish(conn);
	ws_conn_free(conn);
}

int ws_conn_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
	struct ws_conn *conn = user;

	if (reason == LWS_CALLBACK_SERVER_NEW_CLIENT_INSTANTIATED) {
		struct ws_server *server = lws_context_user(lws_get_context(wsi));
		server->adopting->wsi = wsi;
		lws_set_wsi_user(wsi, server->adopting);
		return 0;
	}
	if (!conn)
		return 0; /* about lws itself */
	switch (reason) {
	case LWS_CALLBACK_ESTABLISHED:
		conn_on_established(conn);
		break;
	case LWS_CALLBACK_RECEIVE:
		if (conn_tell_alive(conn))
			conn_take_piece(conn, str_of(in, len));
		break;
	case LWS_CALLBACK_RECEIVE_PONG:
		if (conn_tell_alive(conn))
			conn->server->options.handlers.pong(conn, conn->session, str_of(in, len), conn->server->options.arg);
		break;
	case LWS_CALLBACK_SERVER_WRITEABLE:
		conn_on_writeable(conn);
		break;
	case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
		return conn_on_peer_close(conn, str_of(in, len));
	case LWS_CALLBACK_WS_SERVER_DROP_PROTOCOL:
		conn_on_lws_closing(conn);
		break;
	case LWS_CALLBACK_CLOSED:
		ws_conn_finish(conn);
		break;
	case LWS_CALLBACK_WSI_DESTROY:
		conn_on_destroyed(conn);
		break;
	default:
		break;
	}
	return 0;
}

void ws_conn_adopt(struct ws_conn *conn, int fd, struct str bytes)
{
	struct ws_server *server = conn->server;

	server->sockets++;
	server->adopting = conn;
	struct lws *wsi = lws_adopt_socket_vhost_readbuf(server->vhost, fd, bytes.ptr, bytes.len);
	server->adopting = NULL;
	/* A failure after lws has made its own object is reported by LWS_CALLBACK_WSI_DESTROY. */
	if (!wsi && !conn->wsi) {
		log_warn("libwebsockets refused a connection", LOG_STR("address", ws_address(conn)));
		conn_on_destroyed(conn);
	}
}
