/* router: makes and removes all routes. This file wires; README.md lists the other files. */

#include "base/telemetry/metrics.h"
#include "rpc/server/descriptor_set.h"
#include "router/app.h"
#include "router/kick/kick_api.h"
#include "router/nodes/nodes_api.h"
#include "router/presence/dead_nodes.h"
#include "router/bind/routes_api.h"
#include "service/redis_check.h"

static const struct rpc_method methods[] = {
	{ .path = "/skein.v1.Router/RegisterNode", .unary = nodes_api_register },
	{ .path = "/skein.v1.Router/RenewNode", .unary = nodes_api_renew },
	{ .path = "/skein.v1.Router/RemoveNode", .unary = nodes_api_remove },
	{ .path = "/skein.v1.Router/Routes", .stream = &routes_api_handlers },
	{ .path = "/skein.v1.Router/Kick", .unary = kick_api_kick },
};

/* ---- leaving: the calls end first, then the clients that they use are closed ---- */

static void on_redis_closed(void *arg)
{
	struct app *app = arg;

	app->redis = NULL;
	gateway_calls_free(app->gateways);
	app->gateways = NULL;
	service_leave(&app->service);
}

static void on_client_closed(void *arg)
{
	struct app *app = arg;

	redis_close(app->redis, on_redis_closed, app);
}

static void on_rpc_closed(void *arg)
{
	struct app *app = arg;

	routes_api_close(app);
	gateway_calls_close(app->gateways);
	if (app->dead_nodes)
		dead_nodes_free(app->dead_nodes);
	node_list_free(app->nodes);
	rpc_client_close(app->client, &app->service.worker, on_client_closed, app);
}

static void drain(void *arg)
{
	struct app *app = arg;

	rpc_server_set_serving(app->rpc, false);
	rpc_server_close(app->rpc, (uint64_t)app->config.drain_timeout_ms, on_rpc_closed, app);
}

/* ---- starting ---- */

static int64_t read_kicks_waiting(void *arg)
{
	struct app *app = arg;

	return app->gateways ? gateway_calls_waiting(app->gateways) : 0;
}

static err_t start(void *arg)
{
	struct app *app = arg;
	const struct redis_options redis_options = {
		.uri = app->config.redis_uri,
		.max_waiting = (unsigned)app->config.redis_max_waiting,
		.waiting_gauge = metrics_gauge("skein_router_redis_waiting", "Commands that Redis has not answered.", NULL),
		.timeout_ms = (uint64_t)app->config.redis_timeout_ms,
	};
	const struct rpc_server_options rpc_options = {
		.listen = app->config.grpc_listen,
		.methods = methods,
		.method_count = ARRAY_LEN(methods),
		.arg = app,
		.max_message = 4 << 20,
		.descriptor_set = str_of(proto_descriptor_set, proto_descriptor_set_len),
	};

	app->inbox_limits = inbox_limits_of(&app->config.inbox);
	routes_api_init(app);
	err_t err = redis_new(&app->redis, &app->service.worker, &redis_options);
	if (!err)
		err = rpc_client_new(&app->client);
	if (err)
		return err;
	app->nodes = node_list_new(app->redis, &app->service.worker);
	if (app->config.presence_enabled)
		app->dead_nodes = dead_nodes_new(&app->service.worker, app->redis, app->nodes);
	app->gateways = gateway_calls_new(&app->service.worker, app->client, app->nodes,
	                                  (unsigned)app->config.kick_max_waiting);
	metrics_gauge_fn("skein_router_kicks_waiting", "Kicks that are not finished.", NULL, read_kicks_waiting, app);
	return rpc_server_new(&app->rpc, &app->service.worker, &rpc_options);
}

static struct app app;

static const struct readiness_check checks[] = { { .name = "redis", .start = service_check_redis, .arg = &app.redis } };

static const struct service_definition definition = {
	.config_table = &router_config_table,
	.config = &app.config,
	.common = &app.config.common,
	.app = &app,
	.checks = checks,
	.check_count = ARRAY_LEN(checks),
	.start = start,
	.drain = drain,
};

int main(int argc, char **argv)
{
	return service_main(&app.service, &definition, argc, argv);
}
