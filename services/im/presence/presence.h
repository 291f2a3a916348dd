#ifndef SKEIN_IM_PRESENCE_PRESENCE_H
#define SKEIN_IM_PRESENCE_PRESENCE_H

#include <stdint.h>

struct call;
struct node_list;
struct redis;

/* The context of the call. Thread: the worker's. */
struct presence_calls {
	struct redis *redis;
	const struct node_list *gateways;
};

void presence_get(struct call *call); /* GET /v1/presence */

#endif
