#ifndef SKEIN_IM_ENDPOINTS_GATEWAY_ORDER_H
#define SKEIN_IM_ENDPOINTS_GATEWAY_ORDER_H

#include <stddef.h>

#include "base/text/str.h"
#include "cluster/node.h"

/*
 * Where a user should connect, best first: gateways that drain are left out,
 * those with fewer connections come first. The figures are a few seconds old, so
 * gateways within an eighth of each other count as equal, and equals are ordered
 * by a hash of user and gateway: thousands who ask at once spread out instead of
 * all going to the one that was emptiest. Sorts `gateways` in place; returns how
 * many remain.
 */
size_t gateway_order(const struct node **gateways, size_t count, struct str uid);

#endif
