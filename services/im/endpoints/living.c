#include "im/endpoints/living.h"

#include "base/mem.h"

#define LIVING_FIRST_MAX 64

struct living living_from(const struct node_list *list)
{
	struct living living = { 0 };

	/* A list that fills the room may go on. */
	for (size_t max = LIVING_FIRST_MAX;; max *= 2) {
		living.nodes = mem_alloc(max * sizeof(*living.nodes));
		living.count = node_list_all(list, living.nodes, max);
		if (living.count < max)
			return living;
		mem_free(living.nodes);
	}
}
