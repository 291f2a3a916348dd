#ifndef SKEIN_IM_ENDPOINTS_GATEWAY_ORDER_H
#define SKEIN_IM_ENDPOINTS_GATEWAY_ORDER_H

#include <stddef.h>

#include "base/text/str.h"
#include "cluster/node.h"

/*
 * Orders the gateways for a user, the best first. Draining gateways are left out;
 * gateways with fewer connections come first. The figures are a few seconds old, so
 * gateways within an eighth of each other count as equal, and equals are ordered
 * by a hash of user and gateway. So thousands of users who ask at once spread over
 * several gateways. Sorts `gateways` in place; returns how many remain.
 */
size_t gateway_order(const struct node **gateways, size_t count, struct str uid);

#endif
