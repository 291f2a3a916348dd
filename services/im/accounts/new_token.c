#include "im/accounts/new_token.h"

#include "base/clock.h"
#include "base/random.h"

static uint64_t new_token_second(uint64_t ms)
{
	return ms / 1000 * 1000;
}

void new_token_begin(const struct accounts *accounts, struct jwt_claims *claims, struct str uid, int64_t logged_out_ms)
{
	const struct im_config *config = accounts->config;
	uint64_t now_ms = clock_wall_ms();

	*claims = (struct jwt_claims){ .issued_ms = new_token_second(now_ms) };
	if (logged_out_ms >= 0)
		claims->issued_ms = MAX(claims->issued_ms, new_token_second((uint64_t)logged_out_ms) + 1000);
	uint64_t life_ms = (uint64_t)MIN(config->auth_token_ttl_ms, config->auth_session_max_ms);
	claims->expires_ms = new_token_second(MAX(now_ms, claims->issued_ms) + life_ms);
	(void)str_copy(claims->uid, sizeof(claims->uid), uid);
	random_hex(claims->id, 32);
}

err_t new_token_refresh(const struct accounts *accounts, const struct jwt_claims *old, struct jwt_claims *claims)
{
	const struct im_config *config = accounts->config;
	uint64_t now_ms = clock_wall_ms();

	if (!old->issued_ms || old->expires_ms <= old->issued_ms)
		return ERR_UNAUTHENTICATED;
	*claims = *old;
	/* Not before the token that it replaces: that one may be dated a second late. */
	claims->issued_ms = MAX(new_token_second(now_ms), old->issued_ms);
	claims->expires_ms = MIN(new_token_second(now_ms + (uint64_t)config->auth_token_ttl_ms),
	                         claims->issued_ms + (old->expires_ms - old->issued_ms));
	uint64_t family_end_ms = old->family_issued_ms + (uint64_t)config->auth_session_max_ms;
	claims->expires_ms = MIN(claims->expires_ms, new_token_second(family_end_ms));
	random_hex(claims->id, 32);
	return claims->expires_ms > now_ms ? OK : ERR_UNAUTHENTICATED;
}

uint64_t new_token_family_end_ms(const struct accounts *accounts, const struct jwt_claims *claims)
{
	return MAX(claims->family_expires_ms, clock_wall_ms() + (uint64_t)accounts->config->auth_session_max_ms);
}

static void new_token_refuse(struct call *call)
{
	call_fail(call, ERR_FAILED_PRECONDITION, NULL, "no key here signs tokens: they come from the server of the app");
}

bool new_token_has_key(struct call *call, const struct accounts *accounts)
{
	if (jwt_keys_can_sign(accounts->keys))
		return true;
	new_token_refuse(call);
	return false;
}

bool new_token_sign(struct call *call, const struct accounts *accounts, const struct jwt_claims *claims, struct str scope,
                    struct buf *token)
{
	err_t err = jwt_sign_scoped(accounts->keys, claims, scope, token);

	if (err == ERR_FAILED_PRECONDITION)
		new_token_refuse(call);
	else if (err)
		call_fail(call, err, NULL, "the token could not be signed");
	else
		call_forbid_caching(call);
	return !err;
}

void new_token_answer(struct call *call, const struct accounts *accounts, const struct jwt_claims *claims, struct str scope)
{
	struct buf token = { 0 }, *out = call_out(call);

	if (new_token_sign(call, accounts, claims, scope, &token)) {
		buf_append_char(out, '{');
		json_put_field(out, "token", buf_str(&token));
		json_put_u64_field(out, "expires_at", claims->expires_ms);
		buf_append_char(out, '}');
		call_ok(call, 200);
	}
	buf_release(&token);
}
