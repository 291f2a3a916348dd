#include "im/callers/authenticator.h"

#include "base/clock.h"
#include "base/telemetry/log.h"

err_t authenticator_verify(const struct authenticator *authenticator, struct str authorization, struct str request_id,
                           struct caller *caller)
{
	const struct verified_token *token = NULL;
	const char *why = "it was revoked";

	err_t err = verified_tokens_find(authenticator->verified, jwt_from_authorization(authorization),
	                                 clock_wall_ms(), &token, &why);
	if (!err && !change_feed_is_loaded(authenticator->changes))
		return ERR_UNAVAILABLE;
	if (err || id_set_have(&authenticator->changes->revoked,
	                       str_of((const char *)token->claims.token_id, sizeof(token->claims.token_id)))) {
		log_debug("token refused", LOG_TEXT("reason", why), LOG_STR("request", request_id));
		return ERR_UNAUTHENTICATED;
	}
	const struct jwt_claims *claims = &token->claims;
	memcpy(caller->text, claims->uid, sizeof(caller->text));
	caller->len = strlen(claims->uid);
	caller->is_admin = claims->is_admin;
	caller->expires_ms = claims->expires_ms;
	caller->issued_ms = claims->family_issued_ms;
	return OK;
}
