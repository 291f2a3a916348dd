#include "im/endpoints/gateway_order.h"

#include <stdlib.h>

#include "base/mem.h"

struct ranked {
	const struct node *node;
	uint64_t load;
	uint64_t draw;
};

/* Rounds down to steps of an eighth: by the bit length and the three bits after the first one. Exact below 16. */
static uint64_t gateway_order_load_step(uint64_t connections)
{
	if (connections < 16)
		return connections;
	unsigned shift = 63u - (unsigned)__builtin_clzll(connections) - 3;
	return 16 + (uint64_t)shift * 8 + (connections >> shift & 7);
}

/* Rendezvous hashing: the order of two gateways for a user does not depend on which other gateways live. */
static uint64_t gateway_order_draw_of(const struct node *node, struct str uid)
{
	char text[sizeof(node->name) + 66];
	size_t name_len = strlen(node->name);

	memcpy(text, node->name, name_len);
	text[name_len] = '/';
	memcpy(text + name_len + 1, uid.ptr, uid.len);
	return str_hash_stable(str_of(text, name_len + 1 + uid.len));
}

static int gateway_order_compare(const void *left, const void *right)
{
	const struct ranked *a = left, *b = right;

	if (a->load != b->load)
		return a->load < b->load ? -1 : 1;
	return a->draw < b->draw ? -1 : a->draw > b->draw;
}

size_t gateway_order(const struct node **gateways, size_t count, struct str uid)
{
	struct ranked *ranked = mem_alloc(count * sizeof(*ranked));
	size_t living = 0;

	for (size_t i = 0; i < count; i++) {
		if (gateways[i]->is_draining)
			continue;
		ranked[living++] = (struct ranked){ gateways[i], gateway_order_load_step(gateways[i]->connections),
			                            gateway_order_draw_of(gateways[i], uid) };
	}
	qsort(ranked, living, sizeof(*ranked), gateway_order_compare);
	for (size_t i = 0; i < living; i++)
		gateways[i] = ranked[i].node;
	mem_free(ranked);
	return living;
}
