#ifndef SKEIN_ROUTER_KICK_GATEWAY_CALLS_H
#define SKEIN_ROUTER_KICK_GATEWAY_CALLS_H

#include "rpc/client/rpc_client.h"
#include "cluster/node_list.h"

/*
 * Asks gateways to close connections (a kick). The first kick opens a channel to its
 * gateway; the channel is closed when the gateway's node leaves the list. A kick is
 * sent until the gateway answers, is dead (then its connections are gone as well), or
 * the tries are used up; each try takes up to 1 s. Thread, of everything here: the
 * worker's.
 */

struct gateway_calls;

/* Takes over node_list_on_change() of `nodes`. At most `kicks_max` kicks wait for one gateway. */
struct gateway_calls *gateway_calls_new(struct worker *worker, struct rpc_client *client, struct node_list *nodes,
                                        unsigned kicks_max);

/*
 * Ends all kicks with ERR_CLOSED, those under way a little later; further ones end at once. Then free the node list and
 * close the client: after its `closed`, gateway_calls_free() may follow.
 */
void gateway_calls_close(struct gateway_calls *calls);
void gateway_calls_free(struct gateway_calls *calls);

/* Connections of one user at one gateway. Everything is copied. */
struct gateway_kick {
	struct str node;
	uint64_t node_epoch;
	struct str uid;
	uint64_t *conns;
	size_t conn_count;
	struct str token_id; /* only connections opened with this token; empty: with any token */
	uint64_t issued_until_ms; /* only connections opened with a token issued up to then; 0: with any token */
	uint16_t code; /* the close code */
	const char *reason;
};

/* OK: the gateway answered, or it is dead. ERR_UNAVAILABLE: it did not answer. ERR_FULL: too many kicks wait for it. */
typedef void (*gateway_kick_done)(void *arg, err_t err);

/* `done` may be called from inside, and may be NULL. */
void gateway_calls_kick(struct gateway_calls *calls, const struct gateway_kick *kick, unsigned tries, gateway_kick_done done,
                        void *arg);

/* Kicks that are not finished. */
unsigned gateway_calls_waiting(const struct gateway_calls *calls);

#endif
