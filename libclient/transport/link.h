#ifndef SKEIN_LIBCLIENT_TRANSPORT_LINK_H
#define SKEIN_LIBCLIENT_TRANSPORT_LINK_H

#include "libclient/transport/http.h"

/*
 * One WebSocket connection. libcurl resolves the name, connects and does TLS, in a multi handle of its own: in a shared one an
 * idle connection could be closed as a dead one. upgrade.h does the handshake, base/ws the frames. Pings are answered
 * here; a frame that a server must not send (a binary frame, too) ends the connection. Thread: the loop's. A link at rest
 * holds no receive buffer.
 */
struct link;

struct link_events {
	/* A text message. */
	void (*text)(void *arg, struct str text);
	/*
	 * The connection ended or never opened. `close_code`: the server's, or 0 without one. `status`: HTTP's, if the
	 * handshake was refused, or 0. Last event but `gone`; call link_close() then.
	 */
	void (*over)(void *arg, unsigned close_code, unsigned status, uint64_t retry_after_ms);
	/* The link was freed; on a later turn of the loop after link_close(). */
	void (*gone)(void *arg);
	void *arg;
};

#define LINK_MAX_WAITING 65536 /* bytes that the socket has not taken yet */

/* `url`: ws:// or wss://, with its query. */
struct link *link_open(struct skein_net *net, const char *url, const char *token, bool uses_proxy,
                       const struct link_events *events);

/* False: the connection is not open, or more than LINK_MAX_WAITING bytes would wait. */
bool link_send(struct link *link, struct str text);

/* Sends a close frame if the connection is open. `gone` follows. */
void link_close(struct link *link);

#endif
