#ifndef SKEIN_LIBCLIENT_LINK_H
#define SKEIN_LIBCLIENT_LINK_H

#include "libclient/http.h"

/*
 * One WebSocket connection. libcurl resolves, connects and speaks TLS (in a multi handle of its own: in a shared one an idle
 * connection could be taken for a dead one), ws.h makes and reads the bytes. Pings are answered here.
 */
struct link;

struct link_events {
	/* A text message. */
	void (*text)(void *arg, struct str text);
	/*
	 * It is over, or it never opened: the close code or 0, the HTTP status if the handshake was refused or 0. Nothing
	 * comes after it; link_close() is what is left.
	 */
	void (*over)(void *arg, unsigned close_code, unsigned status, uint64_t retry_after_ms);
	/* After link_close(), on a later turn of the loop: the link is gone. */
	void (*gone)(void *arg);
	void *arg;
};

#define LINK_MAX_WAITING 65536 /* bytes that the socket does not take yet */

/* `url`: ws:// or wss://, with its query. */
struct link *link_open(struct skein_net *net, const char *url, const char *token, bool uses_proxy,
                       const struct link_events *events);

/* False: not open, or too much is waiting. */
bool link_send(struct link *link, struct str text);

/* Says goodbye if it is open. */
void link_close(struct link *link);

#endif
