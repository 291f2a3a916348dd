#include "base/clock.h"
#include "base/mem.h"
#include "im/api.h"
#include "im/callers/authenticator.h"
#include "im/callers/user_rates.h"

/* Tokens that one user may revoke: each is remembered by every im until it expires. */
#define LOGOUT_BURST 50
#define LOGOUT_PER_SECOND 0.2

static void on_revoked(void *arg, err_t err)
{
	struct http_request *request = arg;

	if (err == ERR_UNAUTHENTICATED)
		auth_refuse(request);
	else if (err)
		http_respond_problem(request, err, NULL, NULL);
	else
		http_respond_json(request, 204, NULL);
}

static bool may_revoke(struct app *app, struct http_request *request, struct str uid)
{
	uint64_t wait_ms;

	if (!app->config.limits_enabled ||
	    user_rates_take(&app->logout_rates, uid, LOGOUT_PER_SECOND, LOGOUT_BURST, clock_mono_ms(), &wait_ms))
		return true;
	http_set_retry_after(request, (unsigned)(wait_ms / 1000 + 1));
	http_respond_problem(request, ERR_RATE_LIMITED, NULL, "too many logouts of this user");
	return false;
}

static void log_out(struct app *app, struct http_request *request, const struct caller *caller)
{
	struct revocation revocation = { .expires_ms = caller->expires_ms };

	if (!may_revoke(app, request, caller->uid))
		return;
	(void)str_copy(revocation.uid, sizeof(revocation.uid), caller->uid);
	jwt_token_id(jwt_from_authorization(http_request_header(request, "Authorization")), revocation.token_id);
	revocation_feed_revoke(&app->revocations, &revocation, on_revoked, request);
}

void logout_api_log_out(struct http_request *request, void *arg)
{
	auth_require(arg, request, log_out);
}
