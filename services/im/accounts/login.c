#include "base/clock.h"
#include "im/accounts/new_token.h"

/* uid, address -> as fn.login_find() */
static const struct pg_statement login_find = {
	"login_find",
	"select password, is_known, logged_in_at from fn.login_find($1::text, $2::text)",
};

/* uid, hash of the password, address or NULL -> as fn.login_finish() */
static const struct pg_statement login_finish = {
	"login_finish",
	"select logged_out_at from fn.login_finish($1::text, $2::text, $3::text)",
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
		login->limits[login->limit_count++] = (struct rate_key){ .class = RATE_LOGIN, .key = call_keep(call, &pair) };
		return;
	}
	login->limits[login->limit_count++] = (struct rate_key){ .class = RATE_LOGIN, .key = login->uid };
	login->limits[login->limit_count++] = (struct rate_key){ .class = RATE_LOGIN_ADDRESS, .key = login->address };
}

static void login_refuse(struct call *call)
{
	call_fail(call, ERR_UNAUTHENTICATED, NULL, "uid or password is wrong");
}

/* No row: the user was disabled, or got another password, while this one was compared. */
static void login_on_finished(struct call *call, const PGresult *result)
{
	const struct accounts *accounts = call_context(call);
	const struct login *login = call_state(call);
	struct jwt_claims claims;

	if (PQntuples(result) == 0) {
		login_refuse(call);
		return;
	}
	call_give_back(call, login->limits, login->limit_count);
	new_token_begin(accounts, &claims, login->uid, pg_i64(result, 0, 0));
	new_token_answer(call, accounts, &claims, STR(""));
}

static void login_on_matched(void *arg, bool matches)
{
	struct call *call = arg;
	const struct login *login = call_state(call);
	struct pg_params params = { 0 };

	if (!matches) {
		login_refuse(call);
		return;
	}
	pg_put_text(&params, login->uid);
	pg_put_text(&params, login->hash);
	pg_put_text_or_null(&params, login->is_remembered ? (struct str){ 0 } : login->address);
	call_query(call, &login_finish, &params, login_on_finished);
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

	if (!new_token_has_key(call, call_context(call)))
		return;
	login->uid = call_ident(call, "uid", JSON_REQUIRED);
	login->password = call_secret(call, "password", JSON_REQUIRED, 0, PASSWORD_MAX_BYTES);
	login->address = call_address(call);
	pg_put_text(&params, login->uid);
	pg_put_text(&params, login->address);
	call_query(call, &login_find, &params, login_on_found);
}
