#include "deliver/target_list.h"

#include "base/mem.h"

void target_list_clear(struct target_list *list)
{
	for (uint32_t i = 0; i < list->gateway_count; i++)
		gateway_unref(list->gateways[i]);
	list->gateway_count = 0;
	list->count = 0;
}

void target_list_release(struct target_list *list)
{
	target_list_clear(list);
	mem_free(list->gateways);
	mem_free(list->items);
	*list = (struct target_list){ 0 };
}

uint32_t target_list_gateway(struct target_list *list, struct gateways *gateways, const struct route *route)
{
	for (uint32_t i = 0; i < list->gateway_count; i++)
		if (gateway_epoch(list->gateways[i]) == route->node_epoch &&
		    str_equal(gateway_name(list->gateways[i]), route->node))
			return i;
	list->gateways = mem_resize(list->gateways, (list->gateway_count + 1) * sizeof(list->gateways[0]));
	list->gateways[list->gateway_count] = gateways_get(gateways, route->node, route->node_epoch);
	return list->gateway_count++;
}

struct fanout_target *target_list_add(struct target_list *list)
{
	if (list->count == list->capacity) {
		list->capacity = list->capacity ? list->capacity * 2 : 4;
		list->items = mem_resize(list->items, list->capacity * sizeof(list->items[0]));
	}
	return &list->items[list->count++];
}

struct fanout_plan target_list_plan(const struct target_list *list, size_t first, struct audience *audience)
{
	struct fanout_gateway *gateways = mem_zalloc(list->gateway_count * sizeof(*gateways));

	*audience = (struct audience){
		.kind = AUDIENCE_OF_TARGETS,
		.targets = { .items = list->items + first, .count = list->count - first },
	};
	for (uint32_t i = 0; i < list->gateway_count; i++)
		gateways[i].is_alive = !gateway_is_dead(list->gateways[i]);
	struct fanout_plan plan = fanout_plan(audience, gateways, list->gateway_count, FANOUT_UNICAST);
	mem_free(gateways);
	return plan;
}
