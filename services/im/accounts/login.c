#include "base/clock.h"
#include "base/random.h"
#include "im/accounts/accounts.h"
#include "im/http/call.h"

/* uid, address -> as fn.login_find() */
static const struct pg_statement login_find = {
	"login_find",
	"select password, is_known, logged_in_at from fn.login_find($1::text, $2::text)",
};

/* uid, address */
static const struct pg_statement login_remember = {
	"login_remember",
	"select fn.login_remember($1::text, $2::text)",
};

/* An address that was remembered less than this ago need not be written again. */
#define REMEMBERED_MS (24 * 3600 * 1000ll)

struct login {
	struct str uid, password, address;
	struct str hash; /* of the password; absent: there is none */
	struct rate_key limits[2]; /* of which a wrong password takes one each */
	size_t limit_count;
	bool is_remembered; /* the user has logged in from there in the last day */
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

/*
 * A user has a limit, and so has an address. A user who has logged in from this address lately has a limit there for itself
 * alone: wrong passwords from elsewhere, or of others, do not lock it out.
 */
static void login_set_limits(struct call *call, bool is_known)
{
	struct login *login = call_state(call);
	struct buf pair = { 0 };

	if (is_known) {
		buf_printf(&pair, "%.*s %.*s", STR_ARG(login->uid), STR_ARG(login->address));
		login->limits[login->limit_count++] =
			(struct rate_key){ .class = RATE_LOGIN, .key = call_copy(call, buf_str(&pair)) };
		buf_release(&pair);
		return;
	}
	login->limits[login->limit_count++] = (struct rate_key){ .class = RATE_LOGIN, .key = login->uid };
	login->limits[login->limit_count++] = (struct rate_key){ .class = RATE_LOGIN_ADDRESS, .key = login->address };
}

static void login_on_remembered(struct call *call, const PGresult *result)
{
	const struct login *login = call_state(call);
	(void)result;

	login_answer_token(call, login->uid);
}

static void login_on_matched(void *arg, bool matches)
{
	struct call *call = arg;
	const struct login *login = call_state(call);
	struct pg_params params = { 0 };

	if (!matches) {
		call_fail(call, ERR_UNAUTHENTICATED, NULL, "uid or password is wrong");
		return;
	}
	call_give_back(call, login->limits, login->limit_count);
	if (login->is_remembered) {
		login_answer_token(call, login->uid);
		return;
	}
	pg_put_text(&params, login->uid);
	pg_put_text(&params, login->address);
	call_query(call, &login_remember, &params, login_on_remembered);
}

static void login_on_taken(struct call *call)
{
	struct accounts *accounts = call_context(call);
	const struct login *login = call_state(call);

	err_t err = password_pool_match(&accounts->login_passwords, login->hash, login->password, login_on_matched, call);
	if (err) {
		call_give_back(call, login->limits, login->limit_count);
		call_fail(call, err, NULL, PASSWORDS_REFUSAL);
	}
}

/*
 * A user who does not exist, has no password or is disabled is answered like a wrong password, after the same time. A login
 * counts as a wrong password until it was a right one, so that many at once are not more than the limit.
 */
static void login_on_found(struct call *call, const PGresult *result)
{
	struct login *login = call_state(call);

	login_set_limits(call, pg_bool(result, 0, 1));
	struct str hash = pg_text(result, 0, 0);
	login->hash = hash.ptr ? call_copy(call, hash) : hash;
	login->is_remembered = (int64_t)clock_wall_ms() - pg_i64(result, 0, 2) < REMEMBERED_MS;
	call_take_exactly(call, login->limits, login->limit_count, login_on_taken);
}

void accounts_login(struct call *call)
{
	struct login *login = call_make_state(call, sizeof(*login));
	struct pg_params params = { 0 };

	login->uid = call_ident(call, "uid", JSON_REQUIRED);
	login->password = call_secret(call, "password", JSON_REQUIRED, 0, PASSWORD_MAX_BYTES);
	login->address = call_address(call);
	pg_put_text(&params, login->uid);
	pg_put_text(&params, login->address);
	call_query(call, &login_find, &params, login_on_found);
}
