#ifndef SKEIN_IM_ENDPOINTS_LIVING_H
#define SKEIN_IM_ENDPOINTS_LIVING_H

#include <stddef.h>

#include "cluster/node_list.h"

/* All living gateways, sorted by name, however many they are: a pointer each. */
struct living {
	const struct node **nodes; /* free it with mem_free() */
	size_t count;
};

/* The nodes are valid until the loop's next turn. */
struct living living_from(const struct node_list *list);

#endif
