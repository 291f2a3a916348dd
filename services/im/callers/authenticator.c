#include "im/callers/authenticator.h"

#include "base/clock.h"
#include "base/telemetry/log.h"

err_t authenticator_verify(const struct authenticator *authenticator, struct str authorization, struct str request_id,
                           struct caller *caller)
{
	struct jwt_claims claims;
	const char *why = "it was revoked";

	struct str token = jwt_from_authorization(authorization);
	err_t err = jwt_verify(authenticator->keys, token, clock_wall_ms(), &claims, &why);
	if (!err && !revocation_feed_are_loaded(authenticator->revocations))
		return ERR_UNAVAILABLE;
	if (err || revoked_tokens_have_token(&authenticator->revocations->tokens, token)) {
		log_debug("token refused", LOG_TEXT("reason", why), LOG_STR("request", request_id));
		return ERR_UNAUTHENTICATED;
	}
	memcpy(caller->text, claims.uid, sizeof(caller->text));
	caller->len = strlen(claims.uid);
	caller->is_admin = claims.is_admin;
	caller->expires_ms = claims.expires_ms;
	return OK;
}
