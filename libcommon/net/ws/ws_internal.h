#ifndef SKEIN_NET_WS_WS_INTERNAL_H
#define SKEIN_NET_WS_WS_INTERNAL_H

#include <libwebsockets.h>
#include <netinet/in.h>
#include <stdalign.h>
#include <uv.h>

#include "base/text/buf.h"
#include "base/list.h"
#include "base/map.h"
#include "net/ws/ws_server.h"

/*
 * What the files of the WebSocket server share; nobody else includes it. A
 * connection's way through them:
 *
 *   ws_server.c      the server itself: listener, caps, lws context, end
 *   ws_handshake.c   from the accept to the answer: reads and judges the request
 *   ws_request.c     parses it
 *   ws_conn.c        from the upgrade to the end: what lws calls, what the caller calls
 *
 * The handshake is read here and not by lws: lws keeps a sorted list of
 * time-outs (O(N) per half-open connection), 18 KB per request under way, drops
 * silently what it does not like, and speaks HTTP/2 to whoever asks. It gets the
 * socket together with a request that we wrote ourselves, of the fields that it
 * needs, and so never parses a stranger's HTTP. The price is that TLS has to end
 * in front of the gateway (docs/adr/004).
 */

/* A peer's IP address: IPv4 as ::ffff:a.b.c.d. */
struct ws_ip {
	struct in6_addr bytes;
};

void ws_ip_from(struct ws_ip *out, const struct sockaddr_storage *from);
struct str ws_ip_text(const struct ws_ip *ip, char text[INET6_ADDRSTRLEN]);

struct ws_server {
	struct ws_server_options options;
	struct worker *worker;
	struct lws_context *lws;
	struct lws_vhost *vhost;
	struct lws_protocols *protocols; /* one for each subprotocol */

	int listen_fd; /* -1 when it does not listen any more */
	uint16_t port;
	uv_poll_t listener;
	struct timer accept_again; /* after the process ran out of descriptors */

	struct list handshakes;
	struct map addresses; /* of handshakes */
	unsigned sockets; /* accepted and not gone: handshakes and connections */
	unsigned connections; /* upgraded and not closed */
	struct ws_conn *adopting; /* the connection that lws is being given */
	char address_text[INET6_ADDRSTRLEN]; /* what ws_address() returned last */

	uv_idle_t ending; /* turns of the loop since ws_server_close() */
	unsigned turns;
	bool is_closing;
	void (*closed)(void *arg);
	void *closed_arg;
};

/* One function owns each transition: ws_conn.c. */
enum ws_state {
	WS_CONNECTING, /* accepted, lws is doing the upgrade */
	WS_OPEN,
	WS_CLOSING, /* a close frame left, or lws is about to send one: no more writes */
	WS_BROKEN, /* lws is closing the socket, or will when it sees what we did to it */
	WS_CLOSED, /* the handler was told */
};

/*
 * There are many of these, most of them idle: what only a few need at a time is
 * allocated when they do. Lives until lws has let go of the socket.
 */
struct ws_conn {
	struct ws_server *server;
	struct lws *wsi;
	struct buf *partial; /* a message of which not all has come */
	struct closing *closing; /* the deadline of a close */
	struct ws_ip ip;
	uint16_t code; /* for `closed` */
	uint8_t subprotocol;
	uint8_t state;
	bool is_blocked;
	bool was_opened;
	alignas(max_align_t) char session[];
};

/* ws_handshake.c */
void ws_handshake_begin(struct ws_server *server, int fd, const struct ws_ip *ip);
bool ws_handshake_is_within_cap(const struct ws_server *server, const struct ws_ip *ip);
void ws_handshake_refuse_all(struct ws_server *server); /* the answer is 503 */
void ws_handshake_drop_all(struct ws_server *server);
struct str ws_handshake_address_key(const struct map_node *node);

/* ws_conn.c */
struct ws_conn *ws_conn_new(struct ws_server *server, const struct ws_ip *ip, unsigned subprotocol);
void ws_conn_free(struct ws_conn *conn);

/* Tells the handler, once. */
void ws_conn_finish(struct ws_conn *conn);

/* Gives the socket to lws together with the request and what came after it; lws owns it from here on. */
void ws_conn_adopt(struct ws_conn *conn, int fd, struct str bytes);

int ws_conn_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len);

#endif
