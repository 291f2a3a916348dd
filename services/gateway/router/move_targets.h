#ifndef SKEIN_GATEWAY_ROUTER_MOVE_TARGETS_H
#define SKEIN_GATEWAY_ROUTER_MOVE_TARGETS_H

#include <stddef.h>
#include <stdint.h>

/*
 * The gateways to which the clients of a draining gateway go. A gateway with fewer
 * connections gets more of them, so that all end with the same number if possible.
 * Pure. Built by one thread; it does not change after move_targets_divide(), so any
 * thread may pick.
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

/* Ignores a URL that is not ws:// or wss:// or is too long, and gateways beyond MOVE_TARGETS_MAX. */
void move_targets_add(struct move_targets *targets, const char *url, uint64_t connections);

/* Divides `moving` connections among them. Called after the last one was added. */
void move_targets_divide(struct move_targets *targets, uint64_t moving);

/* The URL for a random number below `targets->shares`; NULL: there is no gateway. */
const char *move_targets_pick(const struct move_targets *targets, uint64_t draw);

void move_targets_release(struct move_targets *targets);

#endif
