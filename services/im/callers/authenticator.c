#include "im/callers/authenticator.h"

#include "base/clock.h"
#include "base/telemetry/log.h"
#include "base/mem.h"

/* A request whose user this process has not met yet. */
struct pending {
	struct app *app;
	struct http_request *request;
	authenticated_handler handle;
	struct caller caller;
};

void auth_refuse(struct http_request *request)
{
	http_respond_problem(request, ERR_UNAUTHENTICATED, NULL, "a valid bearer token is required");
}

static err_t verify(const struct app *app, struct http_request *request, struct caller *caller)
{
	struct jwt_claims claims;
	const char *why = "it was revoked";

	struct str token = jwt_from_authorization(http_request_header(request, "Authorization"));
	err_t err = jwt_verify(app->keys, token, clock_wall_ms(), &claims, &why);
	if (!err && !revocation_feed_are_loaded(&app->revocations))
		return ERR_UNAVAILABLE;
	if (err || revoked_tokens_have_token(&app->revocations.tokens, token)) {
		log_debug("token refused", LOG_TEXT("reason", why), LOG_STR("request", http_request_id(request)));
		return ERR_UNAUTHENTICATED;
	}
	struct str uid = str_from(claims.uid);
	memcpy(caller->text, claims.uid, sizeof(caller->text));
	caller->uid = str_of(caller->text, uid.len);
	caller->is_admin = claims.is_admin;
	caller->expires_ms = claims.expires_ms;
	return OK;
}

static void on_admitted(void *arg, err_t err)
{
	struct pending *pending = arg;

	if (err == ERR_UNAUTHENTICATED)
		auth_refuse(pending->request);
	else if (err)
		http_respond_problem(pending->request, err, NULL, NULL);
	else
		pending->handle(pending->app, pending->request, &pending->caller);
	mem_free(pending);
}

static void admit_first(struct app *app, struct http_request *request, const struct caller *caller,
                        authenticated_handler handle)
{
	struct pending *pending = MEM_NEW(struct pending);

	*pending = (struct pending){ .app = app, .request = request, .handle = handle, .caller = *caller };
	pending->caller.uid.ptr = pending->caller.text;
	known_users_admit(&app->known_users, pending->caller.uid, STR(""), on_admitted, pending);
}

void auth_require(struct app *app, struct http_request *request, authenticated_handler handle)
{
	struct caller caller;

	err_t err = verify(app, request, &caller);
	if (err == ERR_UNAUTHENTICATED)
		auth_refuse(request);
	else if (err)
		http_respond_problem(request, err, NULL, NULL);
	else if (known_users_has(&app->known_users, caller.uid))
		handle(app, request, &caller);
	else
		admit_first(app, request, &caller, handle);
}
