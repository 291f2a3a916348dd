#ifndef SKEIN_NET_WS_WS_SERVER_H
#define SKEIN_NET_WS_WS_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text/str.h"
#include "loop/worker.h"

/*
 * A WebSocket server on libwebsockets, one context per worker, with a listener
 * of its own (notes/libwebsockets.md says why). It does the handshake,
 * reassembles and bounds messages, and writes bytes; frames are encoded by the
 * caller, once for many connections (ws_frame.h). No lws timer is used:
 * time-outs before the upgrade are kept here on the worker's wheel, heartbeats
 * are the caller's.
 *
 * The caller's memory per connection (`session_size` bytes, zeroed) is embedded
 * in the connection. Any handler may call any function of a connection, and
 * ws_server_close(). Thread: the worker's, for all of it.
 *
 * What lws 4.1 does not let us see: unmasked client frames are taken like
 * masked ones; empty pongs do not count as a sign of life.
 */

struct ws_server;
struct ws_conn;

/* A request to upgrade. Strings are valid during `accept`. */
struct ws_handshake {
	struct str path; /* "/ws" */
	struct str address; /* the peer's, without port */
	struct str authorization; /* header; may be empty */
	bool wants_subprotocol; /* the client offered at least one */
	const void *request; /* for ws_query() */
};

#define WS_QUERY_ABSENT (-1)
#define WS_QUERY_BAD (-2) /* repeated, or too long for `out` */

/*
 * A query parameter, decoded into `out` with a terminator: valid UTF-8 without
 * NUL (a query that cannot be decoded is refused before `accept`). Its length,
 * or one of the two negative values above, with `out` empty.
 */
int ws_query(const struct ws_handshake *handshake, const char *name, char *out, size_t size);

struct ws_handlers {
	/*
	 * OK to upgrade; otherwise the client gets err_http_status() and a problem
	 * document with `*detail` before the upgrade. `subprotocol` is an index in
	 * options.subprotocols: what the server picked from the client's offer (the
	 * first one that is known), 0 when the client offered none. An offer of only
	 * unknown ones is refused (400).
	 */
	err_t (*accept)(const struct ws_handshake *handshake, unsigned subprotocol, void *session, const char **detail,
	                void *arg);
	/* The connection is up: it may be written to. */
	void (*opened)(struct ws_conn *conn, void *session, void *arg);
	/* A whole message, at most max_message bytes; text is valid UTF-8. None after ws_close(). */
	void (*message)(struct ws_conn *conn, void *session, bool is_binary, struct str message, void *arg);
	/* Anything at all came in (a ping, a pong, a fragment): the peer lives. Before the handler of what came. */
	void (*alive)(struct ws_conn *conn, void *session, void *arg);
	void (*pong)(struct ws_conn *conn, void *session, struct str payload, void *arg);
	/* What could not be written at once has left (see ws_is_blocked). */
	void (*writable)(struct ws_conn *conn, void *session, void *arg);
	/*
	 * The last call for this connection, once for each that `accept` said OK to,
	 * opened or not: release what the session holds. Nothing may be called for the
	 * connection any more; its memory goes later in this turn. `code` is that of
	 * the first close frame, either side's: 1005 if it carried none, 1006 if there
	 * was none.
	 */
	void (*closed)(struct ws_conn *conn, void *session, uint16_t code, void *arg);
};

/* What is pointed to lives as long as the server. */
struct ws_server_options {
	const char *listen; /* as in listener.h */
	bool shares_port; /* several workers listen there (SO_REUSEPORT, see listener.h) */
	const char *path; /* "/ws": anything else is 404 */
	const char *const *subprotocols; /* at least one */
	size_t subprotocol_count;
	size_t session_size;
	size_t max_message; /* over all fragments; more closes with 1009 */
	unsigned max_connections; /* of this worker, handshakes included; over it they are closed at once */
	unsigned max_handshakes_per_address; /* connections not upgraded yet; an IPv6 address counts as its /64 */
	uint64_t handshake_timeout_ms; /* from the accept to the upgrade */
	uint64_t close_timeout_ms; /* how long a peer may take to answer a close frame */
	struct ws_handlers handlers;
	void *arg;
};

/* ERR_BAD_CONFIG or ERR_IO with a logged sentence if it cannot listen. */
err_t ws_server_new(struct ws_server **out, struct worker *worker, const struct ws_server_options *options) MUST_CHECK;

/* The port it listens on: what the kernel chose for port 0. */
uint16_t ws_server_port(const struct ws_server *server);

/* No new connections; those that are not upgraded yet are answered 503. */
void ws_server_stop_listening(struct ws_server *server);

/* Connections that are upgraded and not closed. */
unsigned ws_server_connections(const struct ws_server *server);

/* Drops whoever is left; `closed` on a later turn of the loop, after the last handlers.closed. */
void ws_server_close(struct ws_server *server, void (*closed)(void *arg), void *arg);

/*
 * Writes whole frames (any number of them, encoded with ws_frame.h) in one
 * system call, best up to 64 KiB. What the socket does not take (it takes about
 * 64 KiB more than it can send) is copied; then the connection is blocked, and
 * nothing more should be written until `writable`: it would be kept too, without
 * a bound. ERR_CLOSED when the connection is closing or broken. No handler is
 * called from inside.
 */
err_t ws_write(struct ws_conn *conn, const void *frames, size_t len) MUST_CHECK;
bool ws_is_blocked(const struct ws_conn *conn);

/* Sends a ping with a payload (lws swallows empty pongs). */
void ws_ping(struct ws_conn *conn);

/*
 * Sends a close frame, writes nothing after it, and drops the connection when
 * the peer answers or close_timeout_ms is over. Idempotent.
 */
void ws_close(struct ws_conn *conn, uint16_t code, const char *reason);

/* Drops the connection at once (a reset), without a close frame. `closed` follows on a later turn. Idempotent. */
void ws_drop(struct ws_conn *conn);

void *ws_session(struct ws_conn *conn);
unsigned ws_subprotocol(const struct ws_conn *conn);

/* The peer's, without port. In memory of the server's, until the next call. */
struct str ws_address(const struct ws_conn *conn);

#endif
