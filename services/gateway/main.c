/* gateway: the clients' WebSocket connections. This file wires the parts; README.md says which file does what. */

#include "base/mem.h"
#include "base/telemetry/log.h"
#include "gateway/app.h"
#include "gateway/config.h"
#include "gateway/drain/drain.h"
#include "gateway/gateway_figures.h"
#include "gateway/gateway_metrics.h"
#include "gateway/grpc/delivery.h"
#include "gateway/grpc/kick.h"
#include "gateway/grpc/service.h"
#include "gateway/limits/connect_rates.h"
#include "gateway/router/registration.h"
#include "gateway/router/route_link.h"
#include "gateway/worker/ws_orders.h"
#include "gateway/worker/ws_worker.h"
#include "net/jwt.h"
#include "net/ws/ws_budget.h"
#include "rpc/client/rpc_client.h"
#include "rpc/server/descriptor_set.h"
#include "rpc/server/rpc_server.h"
#include "service/service.h"

#define DELIVER_MAX_MESSAGE (16 << 20)
#define CHECK_TIMEOUT_MS 900

/* The parts of the process. Those that drain/ needs too are in `app`. */
struct gateway {
	struct app app;
	struct service service; /* its worker is the main worker */
	struct gateway_config config;
	struct gateway_metrics metrics;
	struct gateway_service grpc;
	struct jwt_keys *keys;
	struct rpc_client *client;
	struct rpc_channel *im, *router;
	struct rpc_channel *routes_channel; /* to router, for the stream of routes alone */
	struct route_link routes;
	struct registration registration;
	struct drain drain;
	struct ws_budget handshakes;
	struct connect_rates connect_rates;
	struct stalled_bytes stalled_bytes;
	unsigned servers_left; /* WebSocket servers to be closed */
	struct task last_task; /* after it the main worker's mailbox is empty */
};

static const struct rpc_method methods[] = {
	{ .path = "/skein.v1.Gateway/Deliver", .thread = RPC_ON_QUEUE, .stream = &delivery_handlers },
	{ .path = "/skein.v1.Gateway/Kick", .thread = RPC_ON_QUEUE, .unary = kick_on_call },
};

/* ---- readiness ---- */

static void check_router(struct readiness_run *run, void *arg)
{
	struct gateway *g = arg;
	bool is_ok = g->registration.is_registered && route_link_is_up(&g->routes);

	readiness_done(run, is_ok ? OK : ERR_UNAVAILABLE);
}

static void check_listening(struct readiness_run *run, void *arg)
{
	struct gateway *g = arg;

	readiness_done(run, atomic_load(&g->app.is_listening) ? OK : ERR_UNAVAILABLE);
}

static void on_health(void *arg, err_t err, struct str response, const char *detail)
{
	/* HealthCheckResponse { status: SERVING } */
	bool is_serving = !err && str_equal(response, STR("\x08\x01"));
	(void)detail;

	readiness_done(arg, is_serving ? OK : ERR_UNAVAILABLE);
}

static void check_im(struct readiness_run *run, void *arg)
{
	struct gateway *g = arg;

	if (g->drain.step != DRAIN_NOT) {
		readiness_done(run, OK); /* the channel may be closed already, and the service is not ready anyway */
		return;
	}
	rpc_call(g->im, &g->service.worker, "/grpc.health.v1.Health/Check", STR(""), CHECK_TIMEOUT_MS, false, STR(""),
	         on_health, run);
}

/* ---- coming up: the node is registered first, because routes name its epoch ---- */

static void on_listening(void *arg, err_t err);

static void listen_on_next(struct app *app)
{
	if (app->listening_workers < app->worker_count)
		ws_worker_listen(&app->workers[app->listening_workers], on_listening, app);
}

/* One after the other: libwebsockets loads its event loop when a context is made, without a lock. */
static void on_listening(void *arg, err_t err)
{
	struct app *app = arg;

	if (err) {
		log_error("cannot serve WebSockets", LOG_ERR(err), LOG_TEXT("listen", app->config->ws_listen));
		drain_at_once(app);
		return;
	}
	app->listening_workers++;
	if (app->drain->step != DRAIN_NOT)
		return;
	listen_on_next(app);
	if (app->listening_workers == app->worker_count) {
		atomic_store(&app->is_listening, true);
		log_info("gateway is ready", LOG_TEXT("ws", app->config->ws_listen), LOG_NUM("workers", app->worker_count));
	}
}

static void on_registered(void *arg)
{
	struct app *app = arg;

	log_info("node registered", LOG_U64("epoch", atomic_load(&app->node_epoch)));
	listen_on_next(app);
}

static void on_was_out(void *arg)
{
	struct app *app = arg;

	for (unsigned i = 0; i < app->worker_count; i++)
		renewal_doubt(&app->workers[i].renewal);
}

/* Router may have been away for long. Routes that expired meanwhile are bound again. */
static void on_routes_opened(void *arg)
{
	struct app *app = arg;

	for (unsigned i = 0; i < app->worker_count; i++)
		renewal_hurry(&app->workers[i].renewal);
}

static void on_lost(void *arg)
{
	drain_at_once(arg);
}

static void drain(void *arg)
{
	struct gateway *g = arg;

	drain_begin(&g->app);
}

/* ---- wiring ---- */

static err_t start_workers(struct gateway *g)
{
	struct app *app = &g->app;
	err_t err = OK;

	app->worker_count = (unsigned)g->config.ws_workers;
	app->workers = mem_zalloc(app->worker_count * sizeof(*app->workers));
	for (unsigned i = 0; i < app->worker_count && !err; i++) {
		const struct ws_worker_setup setup = {
			.index = i,
			.main = &g->service.worker,
			.config = &g->config,
			.metrics = &g->metrics,
			.keys = g->keys,
			.routes = &g->routes,
			.im = g->im,
			.connections = &app->connections,
			.handshakes = &g->handshakes,
			.connect_rates = &g->connect_rates,
			.stalled_bytes = &g->stalled_bytes,
		};

		err = ws_worker_init(&app->workers[i], &setup);
	}
	for (unsigned i = 0; i < app->worker_count && !err; i++)
		err = ws_worker_start(&app->workers[i]);
	return err;
}

static void open_router(struct gateway *g)
{
	const struct route_link_setup routes = {
		.main = &g->service.worker,
		.channel = g->routes_channel,
		.node = g->config.common.node_name,
		.node_epoch = &g->app.node_epoch,
		.changes_of_router = g->metrics.router_changes,
		.opened = on_routes_opened,
		.arg = &g->app,
	};
	const struct registration_setup registration = {
		.main = &g->service.worker,
		.channel = g->router,
		.config = &g->config,
		.node_epoch = &g->app.node_epoch,
		.read_figures = gateway_figures_of_node,
		.registered = on_registered,
		.was_out = on_was_out,
		.lost = on_lost,
		.arg = &g->app,
	};

	route_link_open(&g->routes, &routes);
	registration_begin(&g->registration, &registration);
}

static err_t start(void *arg)
{
	struct gateway *g = arg;
	const struct rpc_server_options options = {
		.listen = g->config.grpc_listen,
		.methods = methods,
		.method_count = ARRAY_LEN(methods),
		.arg = &g->grpc,
		.max_message = DELIVER_MAX_MESSAGE,
		.descriptor_set = str_of(proto_descriptor_set, proto_descriptor_set_len),
	};

	gateway_metrics_init(&g->metrics);
	g->stalled_bytes.max = (size_t)g->config.queue_stalled_bytes;
	g->handshakes.max_handshakes = (unsigned)g->config.ws_handshakes;
	g->handshakes.max_bytes = (size_t)g->config.ws_handshake_bytes;
	g->handshakes.refused = g->metrics.handshakes[HANDSHAKE_OVER_BUDGET];
	err_t err = jwt_keys_new(&g->keys, str_from(g->config.auth_secret), g->config.auth_jwks);
	if (!err)
		err = connect_rates_init(&g->connect_rates, &g->config);
	if (!err)
		err = rpc_client_new(&g->client);
	if (!err)
		err = rpc_channel_new(&g->im, g->client, g->config.im_targets);
	if (!err)
		err = rpc_channel_new(&g->router, g->client, g->config.router_targets);
	if (!err)
		err = rpc_channel_new(&g->routes_channel, g->client, g->config.router_targets);
	if (!err)
		err = start_workers(g);
	if (err)
		return err;
	g->grpc = (struct gateway_service){
		.workers = g->app.workers,
		.worker_count = g->app.worker_count,
		.node_epoch = &g->app.node_epoch,
		.metrics = &g->metrics,
	};
	err = rpc_server_new(&g->app.server, &g->service.worker, &options);
	if (err)
		return err;
	g->app.handshakes = &g->handshakes;
	g->app.stalled_bytes = &g->stalled_bytes;
	jwt_keys_watch(g->keys, &g->service.worker);
	gateway_figures_add(&g->app);
	open_router(g);
	return OK;
}

/* ---- taking down, in the reverse order: servers, channels, threads ---- */

/* Nothing is posted to the main worker any more, and all earlier tasks have run. */
static void on_last_task(struct task *task)
{
	struct gateway *g = container_of(task, struct gateway, last_task);

	jwt_keys_unwatch(g->keys);
	service_leave(&g->service);
}

static void on_client_closed(void *arg)
{
	struct gateway *g = arg;

	for (unsigned i = 0; i < g->app.worker_count; i++)
		ws_worker_end(&g->app.workers[i]);
	g->last_task.run = on_last_task;
	worker_post(&g->service.worker, &g->last_task);
}

static void on_rpc_closed(void *arg)
{
	struct gateway *g = arg;

	route_link_close(&g->routes);
	rpc_channel_close(g->im);
	rpc_channel_close(g->router);
	rpc_channel_close(g->routes_channel);
	rpc_client_close(g->client, &g->service.worker, on_client_closed, g);
}

static void on_server_closed(void *arg, err_t err)
{
	struct gateway *g = arg;
	(void)err;

	if (--g->servers_left == 0)
		rpc_server_close(g->app.server, 0, on_rpc_closed, g);
}

static void take_down(struct app *app)
{
	struct gateway *g = container_of(app, struct gateway, app);

	g->servers_left = app->worker_count;
	for (unsigned i = 0; i < app->worker_count; i++)
		ws_worker_close_server(&app->workers[i], on_server_closed, g);
}

static void release(void *arg)
{
	struct gateway *g = arg;

	mem_free(g->app.workers);
	move_targets_release(&g->drain.targets);
	connect_rates_release(&g->connect_rates);
	jwt_keys_free(g->keys);
}

static struct gateway gateway = {
	.app = {
		.config = &gateway.config,
		.service = &gateway.service,
		.routes = &gateway.routes,
		.registration = &gateway.registration,
		.drain = &gateway.drain,
		.take_down = take_down,
	},
};

static const struct readiness_check checks[] = {
	{ .name = "router", .start = check_router, .arg = &gateway },
	{ .name = "im", .start = check_im, .arg = &gateway },
	{ .name = "websocket", .start = check_listening, .arg = &gateway },
};

static const struct service_definition definition = {
	.config_table = &gateway_config_table,
	.config = &gateway.config,
	.common = &gateway.config.common,
	.app = &gateway,
	.checks = checks,
	.check_count = ARRAY_LEN(checks),
	.start = start,
	.drain = drain,
	.release = release,
};

int main(int argc, char **argv)
{
	return service_main(&gateway.service, &definition, argc, argv);
}
