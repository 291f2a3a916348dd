#ifndef SKEIN_GATEWAY_ROUTER_MOVE_TARGETS_H
#define SKEIN_GATEWAY_ROUTER_MOVE_TARGETS_H

#include <stddef.h>
#include <stdint.h>

/*
 * Where the clients of a draining gateway go: to the other gateways, more to
 * those that have few connections, so that all of them end at the same level as
 * far as that is possible. Pure. It does not change once the shares are made,
 * so that any thread may pick.
 */

#define ELSEWHERE_URL_MAX 255
#define ELSEWHERE_MAX 256

struct elsewhere {
	struct other_gateway {
		char url[ELSEWHERE_URL_MAX + 1];
		uint64_t connections;
		uint64_t share; /* of the connections that move */
	} * others;
	size_t count;
	uint64_t shares; /* their sum */
};

/* What is no URL of a WebSocket is left out, and what is over ELSEWHERE_MAX. */
void elsewhere_add(struct elsewhere *elsewhere, const char *url, uint64_t connections);

/* After the last one was added: divides `moving` connections among them. */
void elsewhere_divide(struct elsewhere *elsewhere, uint64_t moving);

/* For a number drawn below `elsewhere->shares`; NULL if there is nowhere to go. */
const char *elsewhere_pick(const struct elsewhere *elsewhere, uint64_t draw);

void elsewhere_release(struct elsewhere *elsewhere);

#endif
