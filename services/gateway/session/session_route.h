#ifndef SKEIN_GATEWAY_SESSION_SESSION_ROUTE_H
#define SKEIN_GATEWAY_SESSION_SESSION_ROUTE_H

/*
 * Keeps the route of a LIVE session in router's registry: renewals, and binding
 * again when the route was lost or is in doubt. Its states are those of
 * router/conn_route.h; session_open.c sends the first BIND.
 *
 * A session whose route was lost binds again *and reads again*: push found no
 * connection for messages that were appended to the inbox meanwhile. Thread: the
 * session's worker.
 */

struct session;

/* The session's turn in the round of renewals. */
void session_renew(struct session *session);

/* Asks im whether the user may still be connected with the token. Closes the session if not. */
void session_ask_admission(struct session *session);

/* Router took the node out of its list for a while: the next renewal binds again. */
void session_doubt_route(struct session *session);

#endif
