#ifndef SKEIN_IM_PRESENCE_TRANSITION_H
#define SKEIN_IM_PRESENCE_TRANSITION_H

#include "base/text/buf.h"
#include "cluster/presence.h"

/*
 * A user who may have come or gone: what Redis says about it, and what that means. transition_batch.c reads it, and acts. Pure: no
 * I/O.
 */
struct transition {
	char uid[65];
	uint64_t ended_ms; /* a connection has ended; once it is decided: when the last one did, or now */
	uint64_t lease, held_until_ms; /* of the claim */
	bool has_routes, has_key; /* Redis has answered */
	struct presence known; /* by the user's key; its home is known_home */
	char known_home[96]; /* "node|epoch" */
	struct buf routes; /* devices and routes, joined by line ends */
	struct str home; /* once it is decided: "node|epoch" of a route that lives, within `routes`; empty: offline */
};

void transition_init(struct transition *transition, const struct presence_claim *claim);
void transition_release(struct transition *transition);

/* The answers to GET of the user's key, and to HGETALL of its routes; NULL: there is none. */
void transition_take_key(struct transition *transition, const redisReply *reply);
void transition_take_routes(struct transition *transition, const redisReply *reply);

/* Both were answered. Otherwise nothing is to be decided. */
bool transition_is_read(const struct transition *transition);

/* Which gateways live. */
struct transition_gateways {
	bool (*lives)(const void *arg, struct str node, uint64_t epoch); /* NULL: that is not known, and every route counts */
	const void *arg;
};

/* There are routes, but none at a gateway that lives: a gateway that has just registered may not be known yet. */
bool transition_is_unsure(const struct transition *transition, const struct transition_gateways *gateways);

/*
 * Finds the home: the known one if the user has a route there, else the last that lives. A route that cannot be read is nobody's.
 */
void transition_decide(struct transition *transition, const struct transition_gateways *gateways, uint64_t now_ms);

/* ---- once it is decided; `transition` must stay where it is ---- */

bool transition_is_online(const struct transition *transition);

/* By what was read. Whether it is news says presence_settle(). */
bool transition_seems_news(const struct transition *transition);

/* For presence_settle(). */
struct presence_found transition_found(const struct transition *transition);

/* The home that the key had when it was read, where the user is at home no more; empty: there is none. */
struct str transition_left_home(const struct transition *transition);

/* The body of the event. */
void transition_put_body(struct buf *out, const struct transition *transition);

#endif
