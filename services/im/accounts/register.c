#include "im/api.h"
#include "im/callers/authenticator.h"

#include "base/clock.h"
#include "base/text/json.h"
#include "base/telemetry/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "im/callers/user_rates.h"

/* uid, name, password -> created_at; no row when the uid is taken */
static const struct pg_statement users_register = {
	"account_register",
	"insert into account (uid, name, password) values ($1::text, $2::text, $3::text)"
	" on conflict do nothing returning created_at",
};

/* uid -> password, is_disabled */
static const struct pg_statement users_password = {
	"account_password",
	"select password, is_disabled from account where uid = $1::text",
};

/* Attempts to log in of one user: a person's fingers, and nobody's dictionary. */
#define LOGIN_BURST 10
#define LOGIN_PER_SECOND 0.2

/* One registration or login while the hash is made and the database asked. */
struct attempt {
	struct app *app;
	struct http_request *request;
	char uid[65];
	struct buf name;
	char password[PASSWORD_MAX_BYTES + 1];
};

static struct attempt *attempt_new(struct app *app, struct http_request *request, struct str uid)
{
	struct attempt *attempt = MEM_NEW(struct attempt);

	attempt->app = app;
	attempt->request = request;
	(void)str_copy(attempt->uid, sizeof(attempt->uid), uid);
	return attempt;
}

static void attempt_free(struct attempt *attempt)
{
	buf_release(&attempt->name);
	explicit_bzero(attempt->password, sizeof(attempt->password));
	mem_free(attempt);
}

static void fail(struct attempt *attempt, err_t err, const char *field, const char *detail)
{
	http_respond_problem(attempt->request, err, field, detail);
	attempt_free(attempt);
}

/* ---- tokens ---- */

static void respond_token(struct app *app, struct http_request *request, struct str uid)
{
	uint64_t now = clock_wall_ms();
	/* In whole seconds, as the token says it. */
	uint64_t expires_ms = (now + (uint64_t)app->config.auth_token_ttl_ms) / 1000 * 1000;
	struct jwt_claims claims = { .issued_ms = now, .expires_ms = expires_ms };
	struct buf token = { 0 }, body = { 0 };

	(void)str_copy(claims.uid, sizeof(claims.uid), uid);
	random_hex(claims.id, 32);
	jwt_sign(app->keys, &claims, &token);
	buf_append_char(&body, '{');
	json_put_field(&body, "token", buf_str(&token));
	json_put_u64_field(&body, "expires_at", claims.expires_ms);
	buf_append_char(&body, '}');
	buf_release(&token);
	http_respond_json(request, 200, &body);
}

static void refresh(struct app *app, struct http_request *request, const struct caller *caller)
{
	respond_token(app, request, caller->uid);
}

void users_api_refresh(struct http_request *request, void *arg)
{
	auth_require(arg, request, refresh);
}

/* ---- registration ---- */

static void on_registered(void *arg, err_t err, const PGresult *result)
{
	struct attempt *attempt = arg;
	struct buf body = { 0 };

	if (err) {
		fail(attempt, ERR_UNAVAILABLE, NULL, NULL);
		return;
	}
	if (PQntuples(result) == 0) {
		fail(attempt, ERR_ALREADY_EXISTS, "uid", "this uid is taken");
		return;
	}
	buf_append_char(&body, '{');
	json_put_field(&body, "uid", str_from(attempt->uid));
	json_put_field(&body, "name", buf_str(&attempt->name));
	json_put_u64_field(&body, "created_at", (uint64_t)pg_i64(result, 0, 0));
	buf_append_char(&body, '}');
	http_respond_json(attempt->request, 201, &body);
	attempt_free(attempt);
}

static void on_hashed(void *arg, const char *text)
{
	struct attempt *attempt = arg;
	struct pg_params params = { 0 };

	pg_put_text(&params, str_from(attempt->uid));
	pg_put_text(&params, buf_str(&attempt->name));
	pg_put_text(&params, str_from(text));
	pg_query(attempt->app->pg.calls, PG_ANY_LANE, &users_register, &params, on_registered, attempt);
}

void users_api_register(struct http_request *request, void *arg)
{
	struct app *app = arg;
	struct json_error error = { 0 };

	if (!app->config.auth_registration) {
		http_respond_problem(request, ERR_PERMISSION_DENIED, NULL, "registration is switched off");
		return;
	}
	json_t *root = json_read(http_request_body(request), &error);
	struct str uid = json_ident(root, "uid", JSON_REQUIRED, &error);
	struct str name = json_name(root, "name", JSON_REQUIRED, &error);
	struct str password = json_text(root, "password", JSON_REQUIRED, PASSWORD_MIN_BYTES, PASSWORD_MAX_BYTES, &error);
	if (error.err) {
		http_respond_problem(request, error.err, error.field, error.detail);
	} else {
		struct attempt *attempt = attempt_new(app, request, uid);
		buf_append_str(&attempt->name, name);
		err_t err = password_pool_hash(&app->passwords, password, on_hashed, attempt);
		if (err)
			fail(attempt, err, NULL, "too many registrations and logins at once");
	}
	json_decref(root);
}

/* ---- login ---- */

static void on_matched(void *arg, bool matches)
{
	struct attempt *attempt = arg;

	if (!matches) {
		fail(attempt, ERR_UNAUTHENTICATED, NULL, "uid or password is wrong");
		return;
	}
	respond_token(attempt->app, attempt->request, str_from(attempt->uid));
	attempt_free(attempt);
}

/* A user who does not exist, has no password, or is disabled takes the same way as a wrong password, at the same cost. */
static void on_password(void *arg, err_t err, const PGresult *result)
{
	struct attempt *attempt = arg;
	struct str text = { 0 };

	if (err) {
		fail(attempt, ERR_UNAVAILABLE, NULL, NULL);
		return;
	}
	if (PQntuples(result) == 1 && !pg_bool(result, 0, 1))
		text = pg_text(result, 0, 0);
	err = password_pool_match(&attempt->app->passwords, text, str_from(attempt->password), on_matched, attempt);
	if (err)
		fail(attempt, err, NULL, "too many registrations and logins at once");
}

static void look_up(struct attempt *attempt)
{
	struct pg_params params = { 0 };

	pg_put_text(&params, str_from(attempt->uid));
	pg_query(attempt->app->pg.calls, PG_ANY_LANE, &users_password, &params, on_password, attempt);
}

static bool may_try(struct app *app, struct http_request *request, struct str uid)
{
	uint64_t wait_ms;

	if (!app->config.limits_enabled ||
	    user_rates_take(&app->login_rates, uid, LOGIN_PER_SECOND, LOGIN_BURST, clock_mono_ms(), &wait_ms))
		return true;
	http_set_retry_after(request, (unsigned)(wait_ms / 1000 + 1));
	http_respond_problem(request, ERR_RATE_LIMITED, NULL, "too many attempts to log in as this user");
	return false;
}

void users_api_login(struct http_request *request, void *arg)
{
	struct app *app = arg;
	struct json_error error = { 0 };

	json_t *root = json_read(http_request_body(request), &error);
	struct str uid = json_ident(root, "uid", JSON_REQUIRED, &error);
	struct str password = json_text(root, "password", JSON_REQUIRED, 0, PASSWORD_MAX_BYTES, &error);
	if (error.err) {
		http_respond_problem(request, error.err, error.field, error.detail);
	} else if (may_try(app, request, uid)) {
		struct attempt *attempt = attempt_new(app, request, uid);
		(void)str_copy(attempt->password, sizeof(attempt->password), password);
		look_up(attempt);
	}
	json_decref(root);
}
