#ifndef SKEIN_IM_HTTP_CALL_ROUTE_H
#define SKEIN_IM_HTTP_CALL_ROUTE_H

#include <stddef.h>

#include "im/callers/rates.h"

struct call;

/* Who may call an endpoint. The dispatcher checks it before the handler runs. */
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
	 * What the caller's rate is counted as. The dispatcher takes one from the caller's bucket, but for two classes:
	 * RATE_LOGIN, where the handler does it by call_take() because the user is in the body, and RATE_SEND, where
	 * send_submit() takes one for each message.
	 */
	enum rate_class rate;
	void (*handle)(struct call *call); /* answers, now or later */
	/* Where the dispatcher's contexts (struct app) have a pointer to what the handler works with: call_context(). */
	size_t context;
};

#endif
