#ifndef SKEIN_NET_WS_SERVER_H
#define SKEIN_NET_WS_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"
#include "loop/worker.h"

/*
 * A WebSocket server on libwebsockets, one context per worker, with a
 * SO_REUSEPORT listener of its own (notes/libwebsockets.md says why). It does
 * the handshake, reassembles and bounds messages, and writes bytes; frames are
 * encoded by the caller, once for many connections (ws_frame.h). No lws timer is
 * used: time-outs before the upgrade are kept here on the worker's wheel,
 * heartbeats are the caller's.
 *
 * The caller's memory per connection (`session_size` bytes, zeroed) is embedded
 * in the connection. Thread: the worker's, for all of it.
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

/* A query parameter, decoded into `out` with a terminator. Its length, or -1 if absent, repeated or too long. */
int ws_query(const struct ws_handshake *handshake, const char *name, char *out, size_t size);

struct ws_handlers {
	/*
	 * OK to upgrade; otherwise the client gets err_http_status() and a problem document with `*detail` before the
	 * upgrade. `subprotocol` is an index in options.subprotocols: what the server picked from the client's offer
	 * (the first one that is known), 0 when the client offered none. An offer of only unknown ones is refused (400).
	 */
	err_t (*accept)(const struct ws_handshake *handshake, unsigned subprotocol, void *session, const char **detail, void *arg);
	/* The connection is up: it may be written to. */
	void (*opened)(struct ws_conn *conn, void *session, void *arg);
	/* A whole message, all fragments together, at most max_message bytes; text is valid UTF-8. */
	void (*message)(struct ws_conn *conn, void *session, bool is_binary, struct str message, void *arg);
	/* Anything at all came in (a pong, a fragment): the peer lives. */
	void (*alive)(struct ws_conn *conn, void *session, void *arg);
	void (*pong)(struct ws_conn *conn, void *session, struct str payload, void *arg);
	/* What could not be written at once has left (see ws_is_blocked). */
	void (*writable)(struct ws_conn *conn, void *session, void *arg);
	/* The last call for this connection, opened or not refused: release what the session holds. `code`: the close code, 1006 without one. */
	void (*closed)(struct ws_conn *conn, void *session, uint16_t code, void *arg);
};

struct ws_server_options {
	const char *listen;
	const char *path; /* "/ws": anything else is 404 */
	const char *const *subprotocols;
	size_t subprotocol_count;
	size_t session_size;
	size_t max_message; /* over all fragments; more closes with 1009 */
	unsigned max_connections;
	unsigned max_handshakes_per_address; /* connections not upgraded yet */
	uint64_t handshake_timeout_ms;
	uint64_t close_timeout_ms; /* how long a peer may take to answer a close frame */
	struct ws_handlers handlers;
	void *arg;
};

err_t ws_server_new(struct ws_server **out, struct worker *worker, const struct ws_server_options *options) MUST_CHECK;

/* No new connections, nor upgrades of those that are not through yet. */
void ws_server_stop_listening(struct ws_server *server);

/* Connections that are upgraded and not closed. */
unsigned ws_server_connections(const struct ws_server *server);

/* Drops whoever is left; `closed` on a later turn of the loop, after the last handlers.closed. */
void ws_server_close(struct ws_server *server, void (*closed)(void *arg), void *arg);

/*
 * Writes whole frames (any number of them, encoded with ws_frame.h) in one
 * system call. What the socket does not take is kept inside; then the
 * connection is blocked, and nothing more should be written until `writable`.
 * ERR_CLOSED when the connection is closing.
 */
err_t ws_write(struct ws_conn *conn, const void *frames, size_t len) MUST_CHECK;
bool ws_is_blocked(const struct ws_conn *conn);

/* Sends a ping with a payload (never empty: lws swallows empty pongs). */
void ws_ping(struct ws_conn *conn);

/* Sends a close frame, writes nothing after it, and drops the connection when the peer answers or close_timeout_ms is over. Idempotent. */
void ws_close(struct ws_conn *conn, uint16_t code, const char *reason);

/* Drops the connection at once, without a close frame. `closed` follows on this or a later turn. */
void ws_drop(struct ws_conn *conn);

void *ws_session(struct ws_conn *conn);
unsigned ws_subprotocol(const struct ws_conn *conn);
struct str ws_address(const struct ws_conn *conn);

#endif
