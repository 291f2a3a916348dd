#ifndef SKEIN_DELIVER_TARGET_LIST_H
#define SKEIN_DELIVER_TARGET_LIST_H

#include <stddef.h>
#include <stdint.h>

#include "cluster/routes.h"
#include "deliver/fanout_plan.h"
#include "deliver/gateways.h"

/*
 * Connections that look-ups of routes have found, and their gateways: the input of
 * a plan. It holds a reference to each gateway, so release or clear it before
 * gateways_free(). {0} is an empty list. Thread: the worker's.
 */
struct target_list {
	struct fanout_target *items;
	size_t count, capacity;
	struct gateway **gateways; /* items[].gateway is an index of it */
	uint32_t gateway_count;
};

void target_list_clear(struct target_list *list);
void target_list_release(struct target_list *list);

/* The index of the route's gateway. A gateway that is not known yet is looked up. */
uint32_t target_list_gateway(struct target_list *list, struct gateways *gateways, const struct route *route);

/* One more target, for the caller to set. Valid until the next. */
struct fanout_target *target_list_add(struct target_list *list);

/* Plans the targets from `first` on; `audience` has to stay as long as the plan. */
struct fanout_plan target_list_plan(const struct target_list *list, size_t first, struct audience *audience);

#endif
