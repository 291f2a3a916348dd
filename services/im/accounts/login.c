#include "base/clock.h"
#include "base/random.h"
#include "im/accounts/accounts.h"
#include "im/http/call.h"

/* uid -> password, is_disabled */
static const struct pg_statement users_password = {
	"account_password",
	"select password, is_disabled from account where uid = $1::text",
};

struct login {
	struct str uid, password;
};

/* Answers a new token. `expires_at` is in whole seconds, as in the token. */
static void login_answer_token(struct call *call, struct str uid)
{
	const struct accounts *accounts = call_context(call);
	uint64_t now = clock_wall_ms();
	struct jwt_claims claims = {
		.issued_ms = now,
		.expires_ms = (now + (uint64_t)accounts->config->auth_token_ttl_ms) / 1000 * 1000,
	};
	struct buf token = { 0 }, *out = call_out(call);

	(void)str_copy(claims.uid, sizeof(claims.uid), uid);
	random_hex(claims.id, 32);
	jwt_sign(accounts->keys, &claims, &token);
	buf_append_char(out, '{');
	json_put_field(out, "token", buf_str(&token));
	json_put_u64_field(out, "expires_at", claims.expires_ms);
	buf_append_char(out, '}');
	buf_release(&token);
	call_ok(call, 200);
}

void accounts_refresh(struct call *call)
{
	login_answer_token(call, call_uid(call));
}

static void login_on_matched(void *arg, bool matches)
{
	struct call *call = arg;
	const struct login *login = call_state(call);

	if (matches)
		login_answer_token(call, login->uid);
	else
		call_fail(call, ERR_UNAUTHENTICATED, NULL, "uid or password is wrong");
}

/* A user who does not exist, has no password or is disabled is answered like a wrong password, after the same time. */
static void login_on_password(struct call *call, const PGresult *result)
{
	struct accounts *accounts = call_context(call);
	struct login *login = call_state(call);
	struct str hash = { 0 };

	if (PQntuples(result) == 1 && !pg_bool(result, 0, 1))
		hash = pg_text(result, 0, 0);
	err_t err = password_pool_match(&accounts->passwords, hash, login->password, login_on_matched, call);
	if (err)
		call_fail(call, err, NULL, PASSWORDS_REFUSAL);
}

void accounts_login(struct call *call)
{
	struct login *login = call_make_state(call, sizeof(*login));
	struct pg_params params = { 0 };

	login->uid = call_ident(call, "uid", JSON_REQUIRED);
	login->password = call_secret(call, "password", JSON_REQUIRED, 0, PASSWORD_MAX_BYTES);
	if (!call_finish_reading(call) || !call_take(call, login->uid))
		return;
	pg_put_text(&params, login->uid);
	call_query(call, &users_password, &params, login_on_password);
}
