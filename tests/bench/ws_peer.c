#include "tests/bench/ws_peer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define READ_CHUNK 65536
#define ACK_EVERY 64
#define ACK_EVERY_US 1000000

unsigned ws_peers_lost;

static const struct ws_reader_rules of_server = { .sender = WS_SERVER, .max_message = 1024 * 1024 };

static void send_all(struct ws_peer *peer, const void *bytes, size_t len)
{
	if (send(peer->watch.fd, bytes, len, MSG_NOSIGNAL) != (ssize_t)len && !peer->closed)
		fail("a WebSocket takes no %zu bytes: %s", len, strerror(errno));
}

void ws_peer_close(struct ws_peer *peer)
{
	loop_remove(&peer->watch);
	ws_reader_release(&peer->reader);
	buf_release(&peer->in);
	buf_release(&peer->out);
}

/* When `closed` returns, the peer's memory may already belong to another connection. */
static void finish(struct ws_peer *peer, int code)
{
	ws_peer_close(peer);
	peer->closed(peer, code);
}

static void send_frame(struct ws_peer *peer, enum ws_opcode opcode, struct str payload)
{
	static const unsigned char no_mask[WS_MASK_LEN];
	struct buf frame = { 0 };

	ws_put_masked_frame(&frame, opcode, payload, no_mask);
	send_all(peer, frame.ptr, frame.len);
	buf_release(&frame);
}

static void send_ack(struct ws_peer *peer)
{
	char text[64];

	snprintf(text, sizeof(text), "{\"type\":\"ack\",\"offset\":\"%s\"}", peer->offset);
	send_frame(peer, WS_TEXT, str_from(text));
	peer->unacked = 0;
	peer->acked_us = now_us();
}

/* Acks now and then, as a client should. The last messages are acknowledged when the server pings. */
static void note_message(struct ws_peer *peer, struct str text)
{
	static const char field[] = "\"offset\":\"";
	const char *at = memmem(text.ptr, MIN(text.len, 64), field, sizeof(field) - 1); /* it stands at the beginning */

	if (!at)
		return;
	struct str rest = str_of(at + sizeof(field) - 1, text.len - (size_t)(at - text.ptr) - sizeof(field) + 1);
	if (!str_copy(peer->offset, sizeof(peer->offset), str_cut(&rest, '"')))
		fail("connection %u was sent an offset that is too long", peer->index);
	if (++peer->unacked >= ACK_EVERY || now_us() - peer->acked_us >= ACK_EVERY_US)
		send_ack(peer);
}

static void take_text(struct ws_peer *peer, struct str text)
{
	if (!peer->is_greeted)
		peer->is_greeted = memmem(text.ptr, text.len, "\"hello\"", 7) != NULL;
	note_message(peer, text);
	if (peer->frame)
		peer->frame(peer, text);
}

static void take_close(struct ws_peer *peer, const struct ws_message *message)
{
	if (!peer->closed)
		fail("connection %u was closed with %u %.*s", peer->index, message->code, STR_ARG(message->payload));
	finish(peer, message->code);
}

static void take_frames(struct ws_peer *peer, char *at, size_t len)
{
	struct ws_message message;
	enum ws_event event;

	/* A callback may have closed the peer, or opened it again. */
	while (peer->is_upgraded && peer->watch.fd >= 0 &&
	       (event = ws_reader_take(&peer->reader, &at, &len, &message)) != WS_GOT_NOTHING) {
		switch (event) {
		case WS_GOT_TEXT:
			take_text(peer, message.payload);
			break;
		case WS_GOT_CLOSE:
			take_close(peer, &message);
			return;
		case WS_GOT_PING:
			send_frame(peer, WS_PONG, message.payload);
			if (peer->unacked)
				send_ack(peer);
			break;
		case WS_GOT_VIOLATION:
			fail("connection %u was sent what is not WebSocket: %s", peer->index, message.violation);
		default:
			break;
		}
	}
}

/* The answer to the handshake is kept until it is whole; frames may follow it in the same piece. */
static void take_upgrade(struct ws_peer *peer, struct str bytes)
{
	buf_append_str(&peer->in, bytes);
	const char *at = peer->in.ptr, *end = memmem(at, peer->in.len, "\r\n\r\n", 4);

	if (!end)
		return;
	bool is_upgraded = memcmp(at, "HTTP/1.1 101", 12) == 0;
	if (!is_upgraded && !peer->closed)
		fail("handshake refused: %.*s", (int)peer->in.len, at);
	struct buf whole = peer->in;
	size_t head_len = (size_t)(end - at) + 4;
	peer->in = (struct buf){ 0 };
	peer->is_upgraded = is_upgraded;
	if (is_upgraded)
		take_frames(peer, whole.ptr + head_len, whole.len - head_len);
	else
		finish(peer, (at[9] - '0') * 100 + (at[10] - '0') * 10 + at[11] - '0');
	buf_release(&whole);
}

/* It is connected, or cannot be. */
static void begin(struct ws_peer *peer)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(peer->watch.fd, SOL_SOCKET, SO_ERROR, &error, &len) || error) {
		finish(peer, WS_NOBODY);
		return;
	}
	loop_want_write(&peer->watch, false);
	send_all(peer, peer->out.ptr, peer->out.len);
	buf_release(&peer->out);
}

static void on_ready(struct watch *watch, bool can_read, bool can_write)
{
	static char scratch[READ_CHUNK]; /* thousands of peers wait: an idle one keeps no buffer */
	struct ws_peer *peer = container_of(watch, struct ws_peer, watch);

	if (peer->out.len && (can_read || can_write)) {
		begin(peer);
		return;
	}
	if (!can_read)
		return;
	ssize_t got = recv(watch->fd, scratch, sizeof(scratch), 0);
	if (got <= 0) {
		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (peer->closed) {
			finish(peer, 0);
		} else {
			ws_peers_lost++;
			loop_remove(watch);
		}
		return;
	}
	if (peer->is_upgraded)
		take_frames(peer, scratch, (size_t)got);
	else
		take_upgrade(peer, str_of(scratch, (size_t)got));
}

static void write_handshake(struct buf *out, struct str token, const char *device, const char *more)
{
	buf_printf(out,
	           "GET /ws?token=%.*s&device=%s&platform=desktop%s HTTP/1.1\r\nHost: skein\r\nUpgrade: websocket\r\n"
	           "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
	           STR_ARG(token), device, more);
}

bool ws_peer_try_open(struct ws_peer *peer, const char *host, int port, unsigned source, struct str token, const char *device,
                      const char *more)
{
	peer->reader.rules = &of_server;
	peer->watch = (struct watch){ .fd = loop_begin_connect(host, port, source), .ready = on_ready, .wants_write = true };
	if (peer->watch.fd < 0)
		return false;
	write_handshake(&peer->out, token, device, more);
	loop_add(&peer->watch);
	return true;
}

void ws_peer_open(struct ws_peer *peer, const char *host, int port, unsigned source, struct str token, const char *device,
                  const char *more)
{
	struct buf request = { 0 };

	peer->reader.rules = &of_server;
	peer->watch = (struct watch){ .fd = loop_connect(host, port, source), .ready = on_ready };
	write_handshake(&request, token, device, more);
	send_all(peer, request.ptr, request.len);
	buf_release(&request);
	loop_add(&peer->watch);
}
