#include "base/clock.h"
#include "im/accounts/new_token.h"

static void logout_on_revoked(void *arg, err_t err)
{
	struct call *call = arg;

	if (err == ERR_UNAUTHENTICATED)
		call_fail_unauthenticated(call);
	else if (err)
		call_fail(call, err, NULL, NULL);
	else
		call_no_content(call);
}

/* Ends the family of the caller's token: all tokens that it was refreshed from, and into. */
void accounts_logout(struct call *call)
{
	struct accounts *accounts = call_context(call);
	struct change revoked = { .kind = CHANGE_REVOKED };
	struct jwt_claims claims;

	if (jwt_verify(accounts->keys, call_token(call), clock_wall_ms(), &claims, NULL)) {
		call_fail_unauthenticated(call); /* it has expired since the call began */
		return;
	}
	(void)str_copy(revoked.uid, sizeof(revoked.uid), call_uid(call));
	memcpy(revoked.id, claims.token_id, sizeof(revoked.id));
	revoked.expires_ms = new_token_family_end_ms(accounts, &claims);
	change_feed_revoke(accounts->changes, &revoked, logout_on_revoked, call);
}
