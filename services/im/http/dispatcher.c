#include "im/http/dispatcher.h"

#include <assert.h>

#include "im/http/call.h"

/* Takes what a call with a valid token costs its caller; see call_route.h. False: 429 was answered. */
static bool dispatcher_take(struct call *call)
{
	enum rate_class class = call->route->rate;

	if (class == RATE_SEND)
		return true;
	return (call->route->who == CALL_ADMIN || call_take(call, RATE_CALL, call_uid(call))) &&
	       call_take(call, class, call_uid(call));
}

static void dispatcher_on_admitted(void *arg, err_t err, const struct known_user *user)
{
	struct call *call = arg;
	const struct call_route *route = call->route;

	call->caller.is_bot = user && user->is_bot;
	if (err == ERR_UNAUTHENTICATED && call_take(call, RATE_ADDRESS, call_address(call)))
		call_fail_unauthenticated(call);
	else if (err == ERR_UNAUTHENTICATED)
		return; /* answered 429 */
	else if (err)
		call_fail(call, err, NULL, NULL);
	else if (route->who == CALL_ADMIN && !call->caller.is_admin)
		call_fail(call, ERR_PERMISSION_DENIED, NULL, "the token has no scope admin");
	else if (dispatcher_take(call))
		route->handle(call);
}

static void dispatcher_admit(struct known_users *known_users, struct call *call)
{
	const struct user_token token = { .issued_ms = call->caller.issued_ms };
	const struct known_user *user = known_users_find(known_users, call_uid(call));

	if (user)
		dispatcher_on_admitted(call, known_user_takes(user, token.issued_ms) ? OK : ERR_UNAUTHENTICATED, user);
	else
		known_users_admit(known_users, call_uid(call), &token, dispatcher_on_admitted, call);
}

/* Under overload most requests to send end here, so this costs no allocation. */
static bool dispatcher_refuses(const struct dispatcher *dispatcher, struct http_request *request,
                               const struct call_route *route)
{
	const struct dispatcher_gate *gate = &dispatcher->gate;

	if (route->rate != RATE_SEND || !gate->is_shut || !gate->is_shut(gate->arg))
		return false;
	http_set_retry_after(request, gate->retry_after_s(gate->arg));
	http_respond_problem(request, ERR_UNAVAILABLE, NULL, "too many messages at the moment");
	return true;
}

static void dispatcher_handle(struct http_request *request, void *arg)
{
	const struct dispatcher *dispatcher = arg;
	const struct authenticator *authenticator = &dispatcher->shared.authenticator;
	const struct call_route *route = http_request_call(request);

	if (dispatcher_refuses(dispatcher, request, route))
		return;
	struct call *call = call_create(&dispatcher->shared, request, route);
	if (route->who == CALL_ANYONE) {
		if (call_take(call, RATE_ADDRESS, call_address(call)))
			route->handle(call);
		return;
	}
	err_t err = authenticator_verify(authenticator, http_request_header(request, "Authorization"), http_request_id(request),
	                                 &call->caller);
	if (err)
		dispatcher_on_admitted(call, err, NULL);
	else
		dispatcher_admit(authenticator->known_users, call);
}

void dispatcher_init(struct dispatcher *dispatcher, const struct call_route *rows, size_t row_count,
                     const struct call_shared *shared, const struct dispatcher_gate *gate)
{
	assert(row_count <= ACCESS_ROUTES_MAX);
	dispatcher->shared = *shared;
	dispatcher->gate = *gate;
	dispatcher->route_count = row_count;
	access_init(&dispatcher->access, rows, row_count);
	for (size_t i = 0; i < row_count; i++)
		dispatcher->routes[i] = (struct http_route){ rows[i].method, rows[i].path, dispatcher_handle, &rows[i] };
}

void dispatcher_finished(const struct http_request *request, int status, uint64_t duration_us, void *arg)
{
	struct dispatcher *dispatcher = arg;

	access_finished(&dispatcher->access, request, status, duration_us);
}
