#ifndef SKEIN_IM_HTTP_CALL_ROUTE_H
#define SKEIN_IM_HTTP_CALL_ROUTE_H

#include <stddef.h>

#include "im/callers/rates.h"

struct call;

/* The callers of an endpoint. The dispatcher checks it before the handler runs. */
enum call_who {
	CALL_ANYONE, /* no token is looked at */
	CALL_USER, /* a valid token */
	CALL_ADMIN, /* a valid token with the scope admin */
};

/* One endpoint: a row of the table in routes.c. */
struct call_route {
	const char *method; /* "POST" */
	const char *path; /* "/v1/groups/{gid}/members", as in docs/openapi.yaml */
	enum call_who who;
	/*
	 * The class of the caller's rate. The dispatcher takes one from the caller's bucket, besides the one of RATE_CALL. Where
	 * anyone may call, it takes one of the address's (RATE_ADDRESS), and the handler takes the others, because the user is
	 * in the body. For RATE_SEND send_submit() takes one for each message, and nothing else is taken.
	 */
	enum rate_class rate;
	void (*handle)(struct call *call); /* answers, now or later */
	/* The offset in the dispatcher's contexts (struct app) of the pointer that call_context() returns to the handler. */
	size_t context;
};

#endif
