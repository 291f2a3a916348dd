#ifndef SKEIN_GATEWAY_ROUTER_CONN_ROUTE_H
#define SKEIN_GATEWAY_ROUTER_CONN_ROUTE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The route of one connection in router's registry, as its gateway knows it: one
 * state, changed only by the functions below. At most one BIND, REBIND or RENEW is
 * under way.
 *
 *   NONE       router was not asked yet
 *   BINDING    BIND was asked: the connection is opening
 *   BOUND      router had the route when it answered last
 *   RENEWING   RENEW was asked
 *   REBINDING  REBIND was asked: the route was lost or in doubt
 *   DOUBTED    push may have ignored the route for a while: the next renewal binds again
 *   *_DOUBTED  the same, and a request from before the doubt is under way
 *   ENDED      the connection is closed
 *
 * A route is in doubt when router took the node out of its list for a while
 * (conn_route_doubt()), or when a REBIND failed: router may have executed it. The
 * answer to a REBIND that was sent after the doubt ends it: that answer has the
 * head of the inbox, and the connection reads up to there. So the rule "bind, then
 * read" holds for each way into BOUND (model tests/model/route.pml, R3).
 *
 *                     bind      doubt              renewal    bound    not bound  kept     lost       no answer  end
 *   NONE              BINDING                                                                                    ENDED
 *   BINDING                     BINDING_DOUBTED               BOUND                                              ENDED
 *   BINDING_DOUBTED                                           DOUBTED                                            ENDED
 *   BOUND                       DOUBTED            RENEWING                                                      ENDED
 *   RENEWING                    RENEWING_DOUBTED                                  BOUND    REBINDING  BOUND      ENDED
 *   RENEWING_DOUBTED                                                             REBINDING REBINDING  DOUBTED    ENDED
 *   DOUBTED                                        REBINDING                                                     ENDED
 *   REBINDING                   REBINDING_DOUBTED             BOUND    DOUBTED                                   ENDED
 *   REBINDING_DOUBTED                                         DOUBTED  DOUBTED                                   ENDED
 *
 * An empty cell changes nothing. (A BIND that fails closes the connection.)
 *
 * Pure, one byte. Thread: the connection's worker.
 */

enum conn_route_state {
	CONN_ROUTE_NONE,
	CONN_ROUTE_BINDING,
	CONN_ROUTE_BINDING_DOUBTED,
	CONN_ROUTE_BOUND,
	CONN_ROUTE_RENEWING,
	CONN_ROUTE_RENEWING_DOUBTED,
	CONN_ROUTE_DOUBTED,
	CONN_ROUTE_REBINDING,
	CONN_ROUTE_REBINDING_DOUBTED,
	CONN_ROUTE_ENDED,
	CONN_ROUTE_STATES,
};

/* The request that a change of state causes. */
enum route_op {
	ROUTE_NOTHING,
	ROUTE_BIND,
	ROUTE_REBIND, /* a BIND that does not replace a newer connection of the device */
	ROUTE_UNBIND,
	ROUTE_RENEW,
};

struct conn_route {
	uint8_t state; /* enum conn_route_state; a zeroed one is NONE */
};

/* im has admitted the user. Asks BIND. */
enum route_op conn_route_bind(struct conn_route *route);

/* Router took the node out of its list for a while: push may have ignored its routes. */
void conn_route_doubt(struct conn_route *route);

/* Its turn in the round of renewals. Asks RENEW, or REBIND when in doubt, or nothing while a request is under way. */
enum route_op conn_route_renewal(struct conn_route *route);

/* The answer to BIND or REBIND. `is_bound`: router has the route, and the inbox's head came with the answer. */
void conn_route_bound(struct conn_route *route, bool is_bound);

/* The answer to RENEW. Asks REBIND when router had no such route, or after a doubt. */
enum route_op conn_route_renewed(struct conn_route *route, bool is_kept);

/* RENEW failed: the next renewal asks again. */
void conn_route_not_renewed(struct conn_route *route);

/* The connection is closed. Asks UNBIND if BIND was asked before. */
enum route_op conn_route_end(struct conn_route *route);

#endif
