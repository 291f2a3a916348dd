#include "im/accounts/accounts.h"
#include "im/http/call.h"

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

void accounts_logout(struct call *call)
{
	struct accounts *accounts = call_context(call);
	struct change revoked = { .kind = CHANGE_REVOKED, .expires_ms = call_caller(call)->expires_ms };

	(void)str_copy(revoked.uid, sizeof(revoked.uid), call_uid(call));
	jwt_token_id(call_token(call), revoked.id);
	change_feed_revoke(accounts->changes, &revoked, logout_on_revoked, call);
}
