#ifndef SKEIN_NET_WS_WS_INTERNAL_H
#define SKEIN_NET_WS_WS_INTERNAL_H

#include <libwebsockets.h>
#include <stdalign.h>
#include <uv.h>

#include "base/text/buf.h"
#include "base/list.h"
#include "base/map.h"
#include "loop/worker.h"
#include "base/ws/ws_reader.h"
#include "net/ws/ws_budget.h"
#include "net/ws/ws_ip.h"
#include "net/ws/ws_options.h"

/*
 * The state that the files of the WebSocket server share; no other file includes this header. A connection passes
 * through them in this order, and each calls only those below it:
 *
 *   ws_server.c      the listener, the caps, the lws context, the end
 *   ws_handshake.c   from the accept to the answer: reads and judges the request (ws_request.c parses it)
 *   ws_conn.c        from the upgrade to the end: the callback of lws, and the functions of ws_conn.h
 *
 * lws is the transport after the upgrade: it watches the socket and reads. It sees raw bytes. The handshake is read
 * here because lws keeps a sorted list of time-outs (O(N) per half-open connection), needs 18 KB per request under way,
 * drops malformed requests without an answer, and accepts HTTP/2. Frames are read here (base/ws) because lws neither
 * checks masks and lengths nor reports each frame. The price: TLS has to end in front of the gateway (docs/adr/004,
 * docs/adr/011).
 */

struct ws_server {
	struct ws_server_options options;
	struct worker *worker;
	struct lws_context *lws;
	struct lws_vhost *vhost;
	struct ws_reader_rules reading;

	int listen_fd; /* -1 after ws_server_stop_listening() */
	uint16_t port;
	uv_poll_t listener;
	struct timer accept_again; /* after the process ran out of descriptors */

	struct list handshakes;
	struct map addresses; /* of handshakes */
	unsigned connections; /* upgraded and not closed */
	struct ws_conn *adopting; /* the connection whose socket lws is taking over */
	char address_text[INET6_ADDRSTRLEN]; /* the last result of ws_address() */

	uv_idle_t ending; /* turns of the loop since ws_server_close() */
	unsigned turns;
	bool is_closing;
	void (*closed)(void *arg);
	void *closed_arg;
};

/* All transitions are in ws_conn.c. */
enum ws_state {
	WS_CONNECTING, /* accepted: waits for ws_admit(), or lws is taking over the socket */
	WS_OPEN,
	WS_CLOSING, /* a close frame was sent: no more writes, until the peer's comes */
	WS_LEAVING, /* both close frames are done: the socket is shut down when the queued bytes have left */
	WS_LINGERING, /* the peer broke the protocol: as above, but only the sending half is shut down */
	WS_BROKEN, /* the socket is shut down: lws closes it when it notices */
	WS_CLOSED, /* the handler was told */
};

/*
 * There are many of these, most of them idle: state that few connections need at a time is allocated when it is needed. Lives
 * until lws has destroyed its own object.
 */
struct ws_conn {
	struct ws_server *server;
	struct handshake *held; /* waits for ws_admit(); NULL: it does not, or not any more */
	struct lws *wsi;
	struct incoming *incoming; /* the part of a message that has come, with its deadline; NULL: none is under way */
	struct closing *closing; /* the deadline of a close; NULL: none */
	struct backlog *backlog; /* bytes that the socket did not take; NULL: the connection is not blocked */
	struct ws_ip ip;
	uint16_t code; /* for `closed` */
	uint8_t subprotocol;
	uint8_t state : 7; /* enum ws_state */
	bool was_opened : 1;
	alignas(max_align_t) char session[];
};

/* ws_handshake.c */
void ws_handshake_begin(struct ws_server *server, int fd, const struct ws_ip *ip);
/* Whether this address may have one more handshake under way. */
bool ws_handshake_is_within_cap(const struct ws_server *server, const struct ws_ip *ip);
void ws_handshake_refuse_all(struct ws_server *server); /* the answer is 503 */
void ws_handshake_drop_all(struct ws_server *server);
struct str ws_handshake_address_key(const struct map_node *node);

/* ws_conn.c */
struct ws_conn *ws_conn_new(struct ws_server *server, const struct ws_ip *ip, unsigned subprotocol);
void ws_conn_free(struct ws_conn *conn);

/* Calls handlers.closed, once. */
void ws_conn_finish(struct ws_conn *conn);

/* Gives the socket to lws, which owns it from then on, and reads the bytes that came with the request; they are changed. */
void ws_conn_adopt(struct ws_conn *conn, int fd, char *bytes, size_t len);

int ws_conn_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len);

#endif
