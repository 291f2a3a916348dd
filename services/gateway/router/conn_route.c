#include "gateway/router/conn_route.h"

enum route_op conn_route_bind(struct conn_route *route)
{
	if (route->state != CONN_ROUTE_NONE)
		return ROUTE_NOTHING;
	route->state = CONN_ROUTE_BINDING;
	return ROUTE_BIND;
}

void conn_route_doubt(struct conn_route *route)
{
	switch (route->state) {
	case CONN_ROUTE_BINDING:
		route->state = CONN_ROUTE_BINDING_DOUBTED;
		break;
	case CONN_ROUTE_BOUND:
		route->state = CONN_ROUTE_DOUBTED;
		break;
	case CONN_ROUTE_RENEWING:
		route->state = CONN_ROUTE_RENEWING_DOUBTED;
		break;
	case CONN_ROUTE_REBINDING:
		route->state = CONN_ROUTE_REBINDING_DOUBTED;
		break;
	default:
		break;
	}
}

enum route_op conn_route_renewal(struct conn_route *route)
{
	switch (route->state) {
	case CONN_ROUTE_BOUND:
		route->state = CONN_ROUTE_RENEWING;
		return ROUTE_RENEW;
	case CONN_ROUTE_DOUBTED:
		route->state = CONN_ROUTE_REBINDING;
		return ROUTE_REBIND;
	default:
		return ROUTE_NOTHING;
	}
}

void conn_route_bound(struct conn_route *route, bool is_bound)
{
	switch (route->state) {
	case CONN_ROUTE_BINDING:
		if (is_bound)
			route->state = CONN_ROUTE_BOUND;
		break;
	case CONN_ROUTE_BINDING_DOUBTED:
		if (is_bound)
			route->state = CONN_ROUTE_DOUBTED;
		break;
	case CONN_ROUTE_REBINDING:
		route->state = is_bound ? CONN_ROUTE_BOUND : CONN_ROUTE_DOUBTED;
		break;
	case CONN_ROUTE_REBINDING_DOUBTED:
		route->state = CONN_ROUTE_DOUBTED;
		break;
	default:
		break;
	}
}

enum route_op conn_route_renewed(struct conn_route *route, bool is_kept)
{
	if (route->state == CONN_ROUTE_RENEWING && is_kept) {
		route->state = CONN_ROUTE_BOUND;
		return ROUTE_NOTHING;
	}
	if (route->state != CONN_ROUTE_RENEWING && route->state != CONN_ROUTE_RENEWING_DOUBTED)
		return ROUTE_NOTHING;
	route->state = CONN_ROUTE_REBINDING;
	return ROUTE_REBIND;
}

void conn_route_not_renewed(struct conn_route *route)
{
	if (route->state == CONN_ROUTE_RENEWING)
		route->state = CONN_ROUTE_BOUND;
	else if (route->state == CONN_ROUTE_RENEWING_DOUBTED)
		route->state = CONN_ROUTE_DOUBTED;
}

enum route_op conn_route_end(struct conn_route *route)
{
	bool was_asked = route->state != CONN_ROUTE_NONE && route->state != CONN_ROUTE_ENDED;

	route->state = CONN_ROUTE_ENDED;
	return was_asked ? ROUTE_UNBIND : ROUTE_NOTHING;
}
