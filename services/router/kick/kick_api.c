#include "router/kick/kick_api.h"

#include <stdlib.h>

#include "base/text/ident.h"
#include "base/mem.h"
#include "proto/router.pb-c.h"
#include "router/app.h"
#include "cluster/routes.h"

#define TOKEN_ID_BYTES 16
#define REASON_MAX 123 /* bytes, the limit of a close frame */
#define ASKED_TRIES 2
#define REPLACED_TRIES 5
#define REPLACED_CODE 4001

/* A call that Redis or a gateway has not answered. */
struct kick_call {
	struct app *app;
	struct rpc_call *call;
	Skein__V1__KickUser *message;
	unsigned open; /* gateways that have not answered, and 1 until all are asked */
	err_t err;
};

static const char *kick_api_first_fault(const Skein__V1__KickUser *message)
{
	struct str reason = str_from(message->reason);

	if (!ident_is_valid(str_from(message->uid)))
		return "uid: not a valid id";
	if (*message->device && !ident_is_valid(str_from(message->device)))
		return "device: not a valid id";
	if (message->token_id.len && message->token_id.len != TOKEN_ID_BYTES)
		return "token_id: not 16 bytes";
	if (message->code < 4000 || message->code > 4999)
		return "code: not from 4000 to 4999";
	if (reason.len > REASON_MAX || !utf8_is_valid(reason))
		return "reason: not UTF-8 of at most 123 bytes";
	return NULL;
}

static void kick_api_leave(struct kick_call *kick)
{
	if (--kick->open)
		return;
	if (kick->err)
		rpc_reply_error(kick->call, kick->err, "not every gateway could be asked");
	else
		rpc_reply(kick->call, (struct str){ 0 }); /* KickedUser has no fields */
	skein__v1__kick_user__free_unpacked(kick->message, NULL);
	mem_free(kick);
}

static void kick_api_on_kicked(void *arg, err_t err)
{
	struct kick_call *kick = arg;

	if (err)
		kick->err = ERR_UNAVAILABLE;
	kick_api_leave(kick);
}

static int kick_api_compare_gateways(const void *a, const void *b)
{
	const struct route *one = &(*(const struct device_route *const *)a)->route;
	const struct route *other = &(*(const struct device_route *const *)b)->route;
	int order = str_compare(one->node, other->node);

	if (!order)
		order = (one->node_epoch > other->node_epoch) - (one->node_epoch < other->node_epoch);
	return order;
}

/* The first `count` of `routes` are of the same gateway. */
static void kick_api_at(struct kick_call *kick, const struct device_route **routes, size_t count, uint64_t *conns)
{
	const struct gateway_kick order = {
		.node = routes[0]->route.node,
		.node_epoch = routes[0]->route.node_epoch,
		.uid = str_from(kick->message->uid),
		.conns = conns,
		.conn_count = count,
		.token_id = str_of(kick->message->token_id.data, kick->message->token_id.len),
		.issued_until_ms = kick->message->issued_until_ms,
		.code = (uint16_t)kick->message->code,
		.reason = kick->message->reason,
	};

	for (size_t i = 0; i < count; i++)
		conns[i] = routes[i]->route.conn;
	kick->open++;
	gateway_calls_kick(kick->app->gateways, &order, ASKED_TRIES, kick_api_on_kicked, kick);
}

static void kick_api_on_listed(void *arg, err_t err, const struct device_route *routes, size_t count)
{
	struct kick_call *kick = arg;
	struct str device = str_from(kick->message->device);
	const struct device_route **chosen = mem_alloc((count + 1) * sizeof(*chosen));
	uint64_t *conns = mem_alloc((count + 1) * sizeof(*conns));
	size_t chosen_count = 0;

	kick->err = err ? ERR_UNAVAILABLE : OK;
	for (size_t i = 0; i < count; i++)
		if (!device.len || str_equal(routes[i].device, device))
			chosen[chosen_count++] = &routes[i];
	qsort(chosen, chosen_count, sizeof(*chosen), kick_api_compare_gateways);
	for (size_t first = 0, end; first < chosen_count; first = end) {
		for (end = first + 1; end < chosen_count && kick_api_compare_gateways(&chosen[first], &chosen[end]) == 0;)
			end++;
		kick_api_at(kick, chosen + first, end - first, conns);
	}
	mem_free(chosen);
	mem_free(conns);
	kick_api_leave(kick);
}

void kick_api_kick(struct rpc_call *call, struct str request, void *arg)
{
	struct app *app = arg;
	Skein__V1__KickUser *message = skein__v1__kick_user__unpack(NULL, request.len, (const uint8_t *)request.ptr);
	const char *fault = message ? kick_api_first_fault(message) : "not a KickUser";

	if (fault) {
		rpc_reply_error(call, ERR_INVALID_ARGUMENT, fault);
		if (message)
			skein__v1__kick_user__free_unpacked(message, NULL);
		return;
	}
	struct kick_call *kick = MEM_NEW(struct kick_call);
	*kick = (struct kick_call){ .app = app, .call = call, .message = message, .open = 1 };
	route_list(app->redis, str_from(message->uid), kick_api_on_listed, kick);
}

void kick_replaced(struct app *app, struct str uid, struct str device, const struct device_route *replaced)
{
	uint64_t conn = replaced->route.conn;
	const struct gateway_kick order = {
		.node = replaced->route.node,
		.node_epoch = replaced->route.node_epoch,
		.uid = uid,
		.conns = &conn,
		.conn_count = 1,
		.code = REPLACED_CODE,
		.reason = str_equal(device, replaced->device) ? "the same device connected again" : "another device connected",
	};

	gateway_calls_kick(app->gateways, &order, REPLACED_TRIES, NULL, NULL);
}
