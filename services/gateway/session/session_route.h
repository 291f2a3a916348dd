#ifndef SKEIN_GATEWAY_SESSION_SESSION_ROUTE_H
#define SKEIN_GATEWAY_SESSION_SESSION_ROUTE_H

/*
 * Keeps the route of a LIVE session in router's registry: renewals, and binding
 * again when the route was lost or is in doubt. Its states are those of
 * router/conn_route.h; the first BIND is session_open.c's.
 *
 * A session that finds its route gone binds again *and reads again*: messages
 * appended to the inbox meanwhile found no connection. Thread: the session's
 * worker.
 */

struct session;

/* The session's turn in the round of renewals. */
void session_renew(struct session *session);

/* Router took the node out of its list for a while: the next renewal binds again. */
void session_doubt_route(struct session *session);

#endif
