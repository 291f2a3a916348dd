#ifndef SKEIN_IM_ROUTES_H
#define SKEIN_IM_ROUTES_H

#include "im/http/call_route.h"

/*
 * Every endpoint of the HTTP API. docs/openapi.yaml lists the same ones, and says who may call them (x-who): a test compares the
 * two. The contexts are in struct app.
 */
extern const struct call_route im_routes[];
extern const size_t im_route_count;

#endif
