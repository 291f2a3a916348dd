/* gateway: the clients' WebSocket connections. This file wires; README.md says which file does what. */

#include "base/telemetry/log.h"
#include "base/mem.h"
#include "gateway/app.h"
#include "gateway/grpc/delivery.h"
#include "gateway/grpc/kick.h"
#include "rpc/server/descriptor_set.h"

#define DELIVER_MAX_MESSAGE (16 << 20)
#define CHECK_TIMEOUT_MS 900

static const struct rpc_method methods[] = {
	{ .path = "/skein.v1.Gateway/Deliver", .thread = RPC_ON_QUEUE, .stream = &delivery_handlers },
	{ .path = "/skein.v1.Gateway/Kick", .thread = RPC_ON_QUEUE, .unary = kick_api_kick },
};

/* ---- readiness ---- */

static void check_router(struct readiness_run *run, void *arg)
{
	struct app *app = arg;
	bool is_ok = app->registration.is_registered && route_link_is_up(&app->routes);

	readiness_done(run, is_ok ? OK : ERR_UNAVAILABLE);
}

static void check_listening(struct readiness_run *run, void *arg)
{
	struct app *app = arg;

	readiness_done(run, atomic_load(&app->is_listening) ? OK : ERR_UNAVAILABLE);
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
	struct app *app = arg;

	if (app->leaving.step != LEAVING_NOT) {
		readiness_done(run, OK); /* the channel is about to go, and the service is not ready anyway */
		return;
	}
	rpc_call(app->im, &app->main, "/grpc.health.v1.Health/Check", STR(""), CHECK_TIMEOUT_MS, false, STR(""), on_health, run);
}

/* ---- coming up: registered first, so that no connection is without a node ---- */

static void on_listening(struct app *app, err_t err);

static void listen_on_next(struct app *app)
{
	if (app->listening_workers < app->worker_count)
		ws_worker_listen(&app->workers[app->listening_workers], on_listening);
}

/* One after the other: libwebsockets loads its event loop when a context is made, and not under a lock. */
static void on_listening(struct app *app, err_t err)
{
	if (err) {
		log_error("cannot serve WebSockets", LOG_ERR(err), LOG_TEXT("listen", app->config.ws_listen));
		leaving_at_once(app);
		return;
	}
	app->listening_workers++;
	if (app->leaving.step != LEAVING_NOT)
		return;
	listen_on_next(app);
	if (app->listening_workers == app->worker_count) {
		atomic_store(&app->is_listening, true);
		log_info("gateway is ready", LOG_TEXT("ws", app->config.ws_listen), LOG_NUM("workers", app->worker_count));
	}
}

static void on_registered(struct app *app)
{
	log_info("node registered", LOG_U64("epoch", atomic_load(&app->node_epoch)));
	listen_on_next(app);
}

static void on_terminate(void *arg)
{
	leaving_begin(arg);
}

static void on_reload(void *arg)
{
	struct app *app = arg;

	if (config_reload(&gateway_config_table, &app->config) == OK)
		log_set_level((enum log_level)app->config.common.log_level);
}

/* ---- wiring ---- */

static int64_t read_connections(void *arg)
{
	struct app *app = arg;

	return atomic_load(&app->connections);
}

static int64_t read_queue_bytes(void *arg)
{
	struct app *app = arg;
	int64_t bytes = 0;

	for (unsigned i = 0; i < app->worker_count; i++)
		bytes += (int64_t)ws_worker_queue_bytes(&app->workers[i]);
	return bytes;
}

static int64_t read_reads(void *arg)
{
	struct app *app = arg;
	int64_t count = 0;

	for (unsigned i = 0; i < app->worker_count; i++)
		count += ws_worker_reads(&app->workers[i]);
	return count;
}

static int64_t read_route_changes(void *arg)
{
	struct app *app = arg;

	return (int64_t)app->routes.by_id.len;
}

static int64_t read_lag(void *arg)
{
	struct app *app = arg;

	return (int64_t)atomic_load(&app->registration.lag_ms);
}

static void add_gauges(struct app *app)
{
	metrics_gauge_fn("skein_gateway_connections", "Connections, from a good handshake on.", NULL, read_connections, app);
	metrics_gauge_fn("skein_gateway_queue_bytes", "Bytes that wait for clients.", NULL, read_queue_bytes, app);
	metrics_gauge_fn("skein_gateway_reads_under_way", "Reads of inboxes that im has not answered.", NULL, read_reads, app);
	metrics_gauge_fn("skein_gateway_route_changes", "Changes of routes that router has not answered.", NULL, read_route_changes,
	                 app);
	metrics_gauge_fn("skein_gateway_lag_ms", "Longest turn of a worker's loop before the last renewal.", NULL, read_lag, app);
}

static err_t start_workers(struct app *app)
{
	err_t err = OK;

	app->worker_count = (unsigned)app->config.ws_workers;
	app->workers = mem_zalloc(app->worker_count * sizeof(*app->workers));
	for (unsigned i = 0; i < app->worker_count && !err; i++)
		err = ws_worker_init(&app->workers[i], app, i);
	for (unsigned i = 0; i < app->worker_count && !err; i++)
		err = ws_worker_start(&app->workers[i]);
	return err;
}

static err_t start_rpc(struct app *app)
{
	const struct rpc_server_options options = {
		.listen = app->config.grpc_listen,
		.methods = methods,
		.method_count = ARRAY_LEN(methods),
		.arg = app,
		.max_message = DELIVER_MAX_MESSAGE,
		.descriptor_set = str_of(proto_descriptor_set, proto_descriptor_set_len),
	};

	err_t err = rpc_server_new(&app->server, &app->main, &options);
	if (!err)
		err = rpc_client_new(&app->client);
	if (!err)
		err = rpc_channel_new(&app->im, app->client, app->config.im_targets);
	if (!err)
		err = rpc_channel_new(&app->router, app->client, app->config.router_targets);
	if (!err)
		err = rpc_channel_new(&app->routes_channel, app->client, app->config.router_targets);
	return err;
}

static err_t start(struct app *app)
{
	const struct readiness_check checks[] = {
		{ .name = "router", .start = check_router, .arg = app },
		{ .name = "im", .start = check_im, .arg = app },
		{ .name = "websocket", .start = check_listening, .arg = app },
	};

	app->out_limits = (struct out_limits){
		.max_bytes = (uint32_t)app->config.queue_bytes,
		.max_entries = (uint32_t)app->config.queue_entries,
	};
	app->ack_limits = (struct ack_limits){
		.max_messages = (uint32_t)app->config.window_messages,
		.max_bytes = (uint32_t)app->config.window_bytes,
		.timeout_ms = (uint64_t)app->config.ack_timeout_ms,
	};
	gateway_metrics_init(&app->metrics);
	err_t err = jwt_keys_new(&app->keys, str_from(app->config.auth_secret));
	if (!err)
		err = worker_init(&app->main, "main");
	if (!err)
		err = signals_init(&app->signals, &app->main, on_terminate, on_reload, app);
	if (!err)
		err = start_workers(app);
	if (!err)
		err = start_rpc(app);
	if (!err)
		err = internal_server_new(&app->internal, &app->main, app->config.common.internal_listen, checks,
		                          ARRAY_LEN(checks));
	if (err)
		return err;
	add_gauges(app);
	route_link_open(&app->routes, app);
	registration_begin(&app->registration, app, on_registered, leaving_at_once);
	return OK;
}

static void release(struct app *app)
{
	worker_join(&app->main);
	mem_free(app->workers);
	elsewhere_release(&app->leaving.elsewhere);
	jwt_keys_free(app->keys);
	config_release(&gateway_config_table, &app->config);
}

int main(int argc, char **argv)
{
	static struct app app;
	enum config_action action;

	if (config_load(&gateway_config_table, argc, argv, &app.config, &action))
		return 2;
	if (action != CONFIG_RUN)
		return 0;
	log_configure(app.config.common.node_name, (enum log_level)app.config.common.log_level,
	              (enum log_format)app.config.common.log_format);
	err_t err = start(&app);
	if (err) {
		log_error("could not start", LOG_ERR(err));
		return 1;
	}
	log_info("gateway is up", LOG_TEXT("grpc", app.config.grpc_listen), LOG_TEXT("version", skein_version));
	worker_run(&app.main);
	release(&app);
	log_info("gateway has left");
	return app.exit_code;
}
