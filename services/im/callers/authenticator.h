#ifndef SKEIN_IM_CALLERS_AUTHENTICATOR_H
#define SKEIN_IM_CALLERS_AUTHENTICATOR_H

#include "im/app.h"

/* Who makes a request. */
struct caller {
	char text[65];
	struct str uid;
	bool is_admin; /* the token has the scope */
	uint64_t expires_ms; /* the token */
};

typedef void (*authenticated_handler)(struct app *app, struct http_request *request, const struct caller *caller);

/*
 * Checks the bearer token, makes its user exist, and goes on with `handle`, at
 * once or later; otherwise answers 401 (which says no more), or 503.
 */
void auth_require(struct app *app, struct http_request *request, authenticated_handler handle);

/* Answers that 401. */
void auth_refuse(struct http_request *request);

#endif
