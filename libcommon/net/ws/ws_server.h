#ifndef SKEIN_NET_WS_WS_SERVER_H
#define SKEIN_NET_WS_WS_SERVER_H

#include "loop/worker.h"
#include "net/ws/ws_budget.h"
#include "net/ws/ws_conn.h"
#include "net/ws/ws_handshake.h"
#include "net/ws/ws_options.h"

/*
 * A WebSocket server on libwebsockets (lws), one context per worker, with a listener of its own. The one header that a
 * service includes. It does the handshake, puts messages together and bounds them, and writes bytes; the caller encodes
 * frames, once for many connections (base/ws/ws_frame.h). It uses no timer of lws: deadlines of handshakes, messages and
 * closes are on the worker's wheel, heartbeats are the caller's. Thread: the worker's, for all of it.
 */

struct ws_server;

/* ERR_BAD_CONFIG or ERR_IO with a logged sentence if it cannot listen. */
err_t ws_server_new(struct ws_server **out, struct worker *worker, const struct ws_server_options *options) MUST_CHECK;

/* The port it listens on; for port 0 the one that the kernel picked. */
uint16_t ws_server_port(const struct ws_server *server);

/* No new connections. Connections that are not upgraded yet are answered 503. */
void ws_server_stop_listening(struct ws_server *server);

/* Connections that are upgraded and not closed. */
unsigned ws_server_connections(const struct ws_server *server);

/* Drops all connections. `closed` is called on a later turn of the loop, after the last handlers.closed. */
void ws_server_close(struct ws_server *server, void (*closed)(void *arg), void *arg);

#endif
