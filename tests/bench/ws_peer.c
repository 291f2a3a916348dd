#include "tests/bench/ws_peer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define READ_CHUNK 65536
#define ACK_EVERY 64
#define ACK_EVERY_US 1000000

unsigned ws_peers_lost;

static void send_all(struct ws_peer *peer, const void *bytes, size_t len)
{
	if (send(peer->watch.fd, bytes, len, MSG_NOSIGNAL) != (ssize_t)len && !peer->closed)
		fail("a WebSocket takes no %zu bytes: %s", len, strerror(errno));
}

static void finish(struct ws_peer *peer, int code)
{
	loop_remove(&peer->watch);
	peer->closed(peer, code);
}

static void send_pong(struct ws_peer *peer, const unsigned char *payload, size_t len)
{
	unsigned char frame[6 + 125] = { 0x8a, (unsigned char)(0x80 | len) }; /* mask 0 */

	memcpy(frame + 6, payload, len);
	send_all(peer, frame, 6 + len);
}

static void send_ack(struct ws_peer *peer)
{
	unsigned char frame[6 + 125] = { 0x81 }; /* mask 0 */

	int len = snprintf((char *)frame + 6, sizeof(frame) - 6, "{\"type\":\"ack\",\"offset\":\"%s\"}", peer->offset);
	frame[1] = (unsigned char)(0x80 | len);
	send_all(peer, frame, 6 + (size_t)len);
	peer->unacked = 0;
	peer->acked_us = now_us();
}

/* Now and then, as a client should; what is left when no more comes is acknowledged when the server asks with a ping. */
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

/* One frame at `at`; its length, or 0 while it is not whole. */
static size_t take_frame(struct ws_peer *peer, const unsigned char *at, size_t len)
{
	size_t head = 2, payload;

	if (len < 2)
		return 0;
	payload = at[1] & 127;
	if (payload == 126) {
		head = 4;
		payload = len < 4 ? 0 : (size_t)at[2] << 8 | at[3];
	} else if (payload == 127) {
		head = 10;
		payload = len < 10 ? 0 : (size_t)at[6] << 24 | (size_t)at[7] << 16 | (size_t)at[8] << 8 | at[9];
	}
	if (len < head + payload)
		return 0;
	switch (at[0] & 15) {
	case 1:
		if (!peer->is_greeted)
			peer->is_greeted = memmem(at + head, payload, "\"hello\"", 7) != NULL;
		note_message(peer, str_of(at + head, payload));
		if (peer->frame)
			peer->frame(peer, str_of(at + head, payload));
		break;
	case 8:
		if (peer->closed) {
			finish(peer, payload >= 2 ? at[head] << 8 | at[head + 1] : 1005);
			break;
		}
		fail("connection %u was closed with %d %.*s", peer->index, payload >= 2 ? at[head] << 8 | at[head + 1] : 1005,
		     payload > 2 ? (int)payload - 2 : 0, (const char *)at + head + 2);
	case 9:
		send_pong(peer, at + head, payload);
		if (peer->unacked)
			send_ack(peer);
		break;
	default:
		break;
	}
	return head + payload;
}

/* The answer to the handshake: its length, or 0 while it is not whole. */
static size_t take_upgrade(struct ws_peer *peer, const char *at, size_t len)
{
	const char *end = memmem(at, len, "\r\n\r\n", 4);

	if (!end)
		return 0;
	if (memcmp(at, "HTTP/1.1 101", 12) != 0 && peer->closed) {
		finish(peer, (at[9] - '0') * 100 + (at[10] - '0') * 10 + at[11] - '0');
		return len;
	}
	if (memcmp(at, "HTTP/1.1 101", 12) != 0)
		fail("handshake refused: %.*s", (int)len, at);
	peer->is_upgraded = true;
	return (size_t)(end - at) + 4;
}

/* Everything that is whole in `bytes`; returns how much that was. */
static size_t take_all(struct ws_peer *peer, struct str bytes)
{
	size_t used = 0, n;

	if (!peer->is_upgraded)
		used = take_upgrade(peer, bytes.ptr, bytes.len);
	while (peer->is_upgraded && peer->watch.fd >= 0 &&
	       (n = take_frame(peer, (const unsigned char *)bytes.ptr + used, bytes.len - used)))
		used += n;
	return used;
}

/* It is connected, or cannot be. */
static void begin(struct ws_peer *peer)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(peer->watch.fd, SOL_SOCKET, SO_ERROR, &error, &len) || error) {
		buf_release(&peer->out);
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
	struct str bytes = str_of(scratch, (size_t)got);
	if (peer->in.len) {
		buf_append_str(&peer->in, bytes);
		bytes = buf_str(&peer->in);
	}
	size_t used = take_all(peer, bytes);
	struct buf rest = { 0 };
	buf_append(&rest, bytes.ptr + used, bytes.len - used);
	buf_release(&peer->in);
	peer->in = rest;
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

	peer->watch = (struct watch){ .fd = loop_connect(host, port, source), .ready = on_ready };
	write_handshake(&request, token, device, more);
	send_all(peer, request.ptr, request.len);
	buf_release(&request);
	loop_add(&peer->watch);
}

void ws_peer_close(struct ws_peer *peer)
{
	loop_remove(&peer->watch);
	buf_release(&peer->in);
	buf_release(&peer->out);
}
