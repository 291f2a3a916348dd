#include "router/bind/routes_api.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/telemetry/log.h"
#include "base/telemetry/metrics.h"
#include "base/text/ident.h"
#include "cluster/presence.h"
#include "cluster/routes.h"
#include "proto/router.pb-c.h"
#include "router/app.h"
#include "router/bind/dead_routes.h"
#include "router/kick/kick_api.h"

/* A change that Redis has not answered. The fields from `platform` on are of a bind. */
struct pending_change {
	struct rpc_stream *stream; /* a reference: the gateway may leave before the answer */
	struct app *app;
	uint64_t id;
	char uid[65], device[65], node[65], platform[17];
	uint64_t node_epoch, conn, since_ms;
	bool is_again;
	bool was_full; /* the user had too many routes at the first try */
	struct list waiting; /* in app->full_binds while the list of nodes is read */
};

static void routes_api_bind(struct pending_change *pending);

/* Answers the change. If the gateway is gone, or does not read, it asks again on its next stream. */
static void routes_api_finish(struct pending_change *change, err_t err, Skein__V1__RouteAnswer *answer)
{
	Skein__V1__RouteAnswers batch = SKEIN__V1__ROUTE_ANSWERS__INIT;
	Skein__V1__RouteAnswer *answers[] = { answer };
	uint8_t bytes[256];

	answer->id = change->id;
	if (err)
		answer->error = (char *)err_code(err);
	batch.n_answers = 1;
	batch.answers = answers;
	size_t len = skein__v1__route_answers__pack(&batch, bytes);
	err_t sent = rpc_stream_send(change->stream, str_of(bytes, len));
	if (sent && sent != ERR_CLOSED)
		log_warn("answer to a gateway not sent", LOG_ERR(sent));
	rpc_stream_unref(change->stream);
	mem_free(change);
}

/* ---- a user with as many routes as limits.devices allows: those of dead gateways are removed, then the bind decides ---- */

static void routes_api_on_room_made(void *arg)
{
	routes_api_bind(arg);
}

static void routes_api_on_nodes_read(void *arg)
{
	struct pending_change *change = arg;

	list_remove(&change->waiting);
	dead_routes_remove(change->app, str_from(change->uid), routes_api_on_room_made, change);
}

static void routes_api_make_room(struct pending_change *change)
{
	change->was_full = true;
	list_push_back(&change->app->full_binds, &change->waiting);
	node_list_refresh(change->app->nodes, routes_api_on_nodes_read, change);
}

/* ---- the changes ---- */

static void routes_api_on_bound(void *arg, err_t err, const struct route_bound *bound)
{
	struct pending_change *change = arg;
	Skein__V1__RouteAnswer answer = SKEIN__V1__ROUTE_ANSWER__INIT;

	if (err == ERR_REJECTED && !change->was_full) {
		routes_api_make_room(change);
		return;
	}
	if (!err && bound->has_come && change->app->config.presence_enabled)
		presence_note_came(change->app->redis, str_from(change->uid));
	if (change->was_full && (!err || err == ERR_REJECTED))
		counter_add(change->app->full[err == OK], 1);
	if (!err) {
		answer.inbox_epoch = bound->inbox_epoch;
		answer.inbox_head = bound->inbox_head;
		for (size_t i = 0; i < bound->replaced_count; i++)
			kick_replaced(change->app, str_from(change->uid), str_from(change->device), &bound->replaced[i]);
	}
	routes_api_finish(change, err, &answer);
}

static void routes_api_on_kept(void *arg, err_t err, bool kept)
{
	Skein__V1__RouteAnswer answer = SKEIN__V1__ROUTE_ANSWER__INIT;

	answer.kept = !err && kept;
	routes_api_finish(arg, err, &answer);
}

static bool routes_api_is_well_formed(const Skein__V1__RouteChange *change)
{
	if (!ident_is_valid(str_from(change->uid)) || !ident_is_valid(str_from(change->device)) ||
	    !ident_is_valid(str_from(change->node)))
		return false;
	switch (change->op) {
	case SKEIN__V1__ROUTE_CHANGE__OP__BIND:
		return platform_is_valid(str_from(change->platform));
	case SKEIN__V1__ROUTE_CHANGE__OP__UNBIND:
	case SKEIN__V1__ROUTE_CHANGE__OP__RENEW:
		return true;
	default:
		return false;
	}
}

static void routes_api_bind(struct pending_change *pending)
{
	struct app *app = pending->app;
	const struct router_config *config = &app->config;
	const struct route_binding binding = {
		.uid = str_from(pending->uid),
		.device = str_from(pending->device),
		.route = {
			.node = str_from(pending->node),
			.node_epoch = pending->node_epoch,
			.conn = pending->conn,
			.platform = str_from(pending->platform),
			.since_ms = pending->since_ms,
		},
		.policy = (enum route_policy)config->login_policy,
		.again = pending->is_again,
		.max_routes = (unsigned)config->limits_devices,
		.closes_oldest = pending->was_full && config->limits_devices_full == DEVICES_CLOSE_OLDEST,
	};

	route_bind(app->redis, &app->inbox_limits, (uint64_t)config->route_ttl_ms / 1000, &binding, routes_api_on_bound,
	           pending);
}

static void routes_api_unbind(struct pending_change *pending)
{
	struct app *app = pending->app;
	struct str uid = str_from(pending->uid);

	if (app->config.presence_enabled)
		presence_note_ended(app->redis, uid, clock_wall_ms());
	route_close(app->redis, uid, str_from(pending->device), str_from(pending->node), pending->node_epoch, pending->conn,
	            routes_api_on_kept, pending);
}

static void routes_api_execute(struct app *app, struct rpc_stream *stream, const Skein__V1__RouteChange *change)
{
	struct pending_change *pending = MEM_NEW(struct pending_change);
	struct str uid = str_from(change->uid), device = str_from(change->device), node = str_from(change->node);

	pending->stream = rpc_stream_ref(stream);
	pending->app = app;
	pending->id = change->id;
	(void)str_copy(pending->uid, sizeof(pending->uid), uid);
	(void)str_copy(pending->device, sizeof(pending->device), device);
	(void)str_copy(pending->node, sizeof(pending->node), node);
	(void)str_copy(pending->platform, sizeof(pending->platform), str_from(change->platform));
	pending->node_epoch = change->node_epoch;
	pending->conn = change->conn;
	pending->since_ms = change->since;
	pending->is_again = change->again;
	if (!routes_api_is_well_formed(change)) {
		Skein__V1__RouteAnswer answer = SKEIN__V1__ROUTE_ANSWER__INIT;

		routes_api_finish(pending, ERR_INVALID_ARGUMENT, &answer);
		return;
	}
	counter_add(app->changes[change->op], 1);
	if (change->op == SKEIN__V1__ROUTE_CHANGE__OP__BIND)
		routes_api_bind(pending);
	else if (change->op == SKEIN__V1__ROUTE_CHANGE__OP__UNBIND)
		routes_api_unbind(pending);
	else
		route_renew(app->redis, &app->inbox_limits, (uint64_t)app->config.route_ttl_ms / 1000, uid, device, node,
		            change->node_epoch, change->conn, routes_api_on_kept, pending);
}

static void routes_api_on_changes(struct rpc_stream *stream, struct str message, void *arg)
{
	Skein__V1__RouteChanges *batch =
		skein__v1__route_changes__unpack(NULL, message.len, (const uint8_t *)message.ptr);

	if (!batch) {
		log_warn("a gateway's message is not a RouteChanges", LOG_NUM("bytes", message.len));
		return;
	}
	for (size_t i = 0; i < batch->n_changes; i++)
		routes_api_execute(arg, stream, batch->changes[i]);
	skein__v1__route_changes__free_unpacked(batch, NULL);
}

const struct rpc_stream_handlers routes_api_handlers = { .message = routes_api_on_changes };

void routes_api_init(struct app *app)
{
	static const char help[] = "Changes of routes that gateways asked for, by kind.";
	static const char full_help[] = "Connections of users who had as many devices as limits.devices allows, by outcome.";

	list_init(&app->full_binds);
	app->full[false] = metrics_counter("skein_router_devices_full_total", full_help, "outcome=\"refused\"");
	app->full[true] = metrics_counter("skein_router_devices_full_total", full_help, "outcome=\"made_room\"");
	app->changes[SKEIN__V1__ROUTE_CHANGE__OP__BIND] =
		metrics_counter("skein_router_route_changes_total", help, "op=\"bind\"");
	app->changes[SKEIN__V1__ROUTE_CHANGE__OP__UNBIND] =
		metrics_counter("skein_router_route_changes_total", help, "op=\"unbind\"");
	app->changes[SKEIN__V1__ROUTE_CHANGE__OP__RENEW] =
		metrics_counter("skein_router_route_changes_total", help, "op=\"renew\"");
}

void routes_api_close(struct app *app)
{
	for (struct list *link; (link = list_pop_front(&app->full_binds));) {
		Skein__V1__RouteAnswer answer = SKEIN__V1__ROUTE_ANSWER__INIT;

		routes_api_finish(container_of(link, struct pending_change, waiting), ERR_CLOSED, &answer);
	}
}
