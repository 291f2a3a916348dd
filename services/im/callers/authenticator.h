#ifndef SKEIN_IM_CALLERS_AUTHENTICATOR_H
#define SKEIN_IM_CALLERS_AUTHENTICATOR_H

#include "im/callers/known_users.h"
#include "im/callers/verified_tokens.h"
#include "im/changes/change_feed.h"
#include "net/jwt.h"

/* The user who makes a request, from a verified token. */
struct caller {
	char text[65];
	size_t len;
	bool is_admin; /* the token has the scope admin */
	bool is_bot; /* set by the dispatcher, from known_users.h */
	uint64_t expires_ms; /* of the token */
	uint64_t issued_ms; /* of the first token of its family; 0: it does not say */
};

static inline struct str caller_uid(const struct caller *caller)
{
	return str_of(caller->text, caller->len);
}

/*
 * Finds the caller of a request from its token: checks the token's signature and time, then whether it was revoked. Whether the
 * user exists and is not disabled is checked next, by known_users.h. Thread: the worker's.
 */
struct authenticator {
	struct verified_tokens *verified;
	const struct change_feed *changes;
	struct known_users *known_users;
};

/*
 * `authorization` is the header's value. ERR_UNAUTHENTICATED, logged at debug level with the request's id;
 * ERR_UNAVAILABLE until the revoked tokens are loaded.
 */
err_t authenticator_verify(const struct authenticator *authenticator, struct str authorization, struct str request_id,
                           struct caller *caller) MUST_CHECK;

#endif
