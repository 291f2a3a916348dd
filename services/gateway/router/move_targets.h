#ifndef SKEIN_GATEWAY_ROUTER_MOVE_TARGETS_H
#define SKEIN_GATEWAY_ROUTER_MOVE_TARGETS_H

#include <stddef.h>
#include <stdint.h>

/*
 * Where the clients of a draining gateway go: to the other gateways, more of them
 * to those that have few connections, so that all end at the same level as far as
 * possible. Pure. Built by one thread; it does not change after
 * move_targets_divide(), so any thread may pick.
 */

#define MOVE_TARGETS_URL_MAX 255
#define MOVE_TARGETS_MAX 256

struct move_targets {
	struct move_target {
		char url[MOVE_TARGETS_URL_MAX + 1];
		uint64_t connections;
		uint64_t share; /* of the connections that move */
	} * items;
	size_t count;
	uint64_t shares; /* their sum */
};

/* A URL that is not a WebSocket's is left out, and a gateway over MOVE_TARGETS_MAX. */
void move_targets_add(struct move_targets *targets, const char *url, uint64_t connections);

/* After the last one was added: divides `moving` connections among them. */
void move_targets_divide(struct move_targets *targets, uint64_t moving);

/* For a number drawn below `targets->shares`; NULL if there is nowhere to go. */
const char *move_targets_pick(const struct move_targets *targets, uint64_t draw);

void move_targets_release(struct move_targets *targets);

#endif
