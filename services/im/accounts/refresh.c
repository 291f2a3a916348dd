#include "base/clock.h"
#include "im/accounts/new_token.h"

void accounts_refresh(struct call *call)
{
	const struct accounts *accounts = call_context(call);
	struct jwt_claims old, claims;
	struct buf scope = { 0 };

	if (call_caller(call)->is_bot) {
		call_fail(call, ERR_INVALID_ARGUMENT, NULL, "a bot's token is valid until it is logged out, and is not refreshed");
		return;
	}
	err_t err = jwt_verify(accounts->keys, call_token(call), clock_wall_ms(), &old, NULL);
	if (err || new_token_refresh(accounts, &old, &claims)) {
		call_fail_unauthenticated(call);
		return;
	}
	jwt_read_scope(call_token(call), &scope);
	new_token_answer(call, accounts, &claims, buf_str(&scope));
	buf_release(&scope);
}
