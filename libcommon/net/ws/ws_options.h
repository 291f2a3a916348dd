#ifndef SKEIN_NET_WS_WS_OPTIONS_H
#define SKEIN_NET_WS_WS_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text/str.h"

/* The options of a WebSocket server: its limits, and the handlers of its connections. */

struct ws_budget;
struct ws_conn;
struct ws_handshake;

/* Any handler may call any function of a connection, and ws_server_close(). Thread: the worker's. */
struct ws_handlers {
	/*
	 * OK to upgrade. Otherwise the client gets err_http_status() and a problem document with `*detail`, before the
	 * upgrade. `subprotocol` is an index in options.subprotocols: the first one of the client's offer that is known, or 0
	 * when the client offered none. An offer of only unknown ones is refused (400) without this call.
	 */
	err_t (*accept)(const struct ws_handshake *handshake, unsigned subprotocol, void *session, const char **detail,
	                void *arg);
	/*
	 * After `accept` agreed: the client waits for its answer until ws_admit(), which may come from inside. May be NULL: then
	 * the connection is upgraded at once. Meanwhile `closed` may come: the client has left, or the server closes.
	 */
	void (*ask)(struct ws_conn *conn, void *session, void *arg);
	/* The connection is up: it may be written to. */
	void (*opened)(struct ws_conn *conn, void *session, void *arg);
	/*
	 * So many frames have arrived, control frames and fragments included; called before the handlers of what they hold. False:
	 * the handler has closed the connection.
	 */
	bool (*frames)(struct ws_conn *conn, void *session, unsigned count, void *arg);
	/* A whole message, at most max_message bytes; text is valid UTF-8. None after ws_close(). */
	void (*message)(struct ws_conn *conn, void *session, bool is_binary, struct str message, void *arg);
	/* Bytes have arrived: the peer is alive. Called before the handlers of what they hold. */
	void (*alive)(struct ws_conn *conn, void *session, void *arg);
	void (*pong)(struct ws_conn *conn, void *session, struct str payload, void *arg);
	/* The bytes that could not be written at once have left (see ws_is_blocked). */
	void (*writable)(struct ws_conn *conn, void *session, void *arg);
	/*
	 * The last call for this connection, once for each connection that `accept` agreed to, opened or not: release the
	 * session's memory. No function may be called for the connection any more; its memory goes later in this turn. `code` is
	 * that of the first close frame, either side's: 1005 if it carried none, 1006 without a close frame.
	 */
	void (*closed)(struct ws_conn *conn, void *session, uint16_t code, void *arg);
};

/* Everything that a member points to lives as long as the server. */
struct ws_server_options {
	const char *listen; /* as in listener.h */
	bool shares_port; /* several workers listen there (SO_REUSEPORT, see listener.h) */
	const char *path; /* "/ws": anything else is 404 */
	const char *const *subprotocols; /* at least one */
	size_t subprotocol_count;
	size_t session_size; /* the caller's memory per connection, zeroed, embedded in it */
	size_t max_message; /* bytes over all fragments; a larger message closes with 1009 */
	struct ws_budget *budget; /* of connections that are not upgraded yet; those over it are closed, or refused with 503 */
	unsigned max_handshakes_per_address; /* connections not upgraded yet; an IPv6 address counts as its /64 */
	uint64_t handshake_timeout_ms; /* from the accept to the upgrade */
	uint64_t message_timeout_ms; /* from the first byte of a message to its last; over it the connection is closed with 1008 */
	uint64_t close_timeout_ms; /* how long a peer may take to answer a close frame */
	struct ws_handlers handlers;
	void *arg;
};

#endif
