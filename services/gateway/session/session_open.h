#ifndef SKEIN_GATEWAY_SESSION_SESSION_OPEN_H
#define SKEIN_GATEWAY_SESSION_SESSION_OPEN_H

/*
 * From the handshake to LIVE: im admits the user, router binds the route, then
 * hello is sent and missed messages are read. The order is bind, hold, read,
 * release: a message is then in the page that is read, or comes live, or both, and
 * leaves once. Thread: the session's worker.
 */

struct session;
struct ws_handlers;

/* For the WebSocket server; their arg is the struct session_home. */
extern const struct ws_handlers session_handlers;

/*
 * The node drains: tells the client when to reconnect, and where. The client of a session that is not LIVE yet is told when it
 * is.
 */
void session_tell_to_move(struct session *session);

#endif
