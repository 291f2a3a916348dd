#include "gateway/gateway_figures.h"

#include "base/macros.h"
#include "base/telemetry/metrics.h"
#include "gateway/app.h"
#include "gateway/router/registration.h"
#include "gateway/router/route_link.h"
#include "gateway/worker/ws_worker.h"
#include "net/ws/ws_budget.h"

static int64_t gateway_figures_read_connections(void *arg)
{
	struct app *app = arg;

	return atomic_load(&app->connections);
}

static int64_t gateway_figures_read_handshakes(void *arg)
{
	struct app *app = arg;

	return atomic_load(&app->handshakes->handshakes);
}

static int64_t gateway_figures_read_handshake_bytes(void *arg)
{
	struct app *app = arg;

	return (int64_t)atomic_load(&app->handshakes->bytes);
}

static int64_t gateway_figures_read_stalled_bytes(void *arg)
{
	struct app *app = arg;

	return (int64_t)atomic_load(&app->stalled_bytes->now);
}

static int64_t gateway_figures_read_queue_bytes(void *arg)
{
	struct app *app = arg;
	int64_t bytes = 0;

	for (unsigned i = 0; i < app->worker_count; i++)
		bytes += (int64_t)ws_worker_queue_bytes(&app->workers[i]);
	return bytes;
}

static int64_t gateway_figures_read_reads(void *arg)
{
	struct app *app = arg;
	int64_t count = 0;

	for (unsigned i = 0; i < app->worker_count; i++)
		count += ws_worker_reads(&app->workers[i]);
	return count;
}

static int64_t gateway_figures_read_route_changes(void *arg)
{
	struct app *app = arg;

	return (int64_t)route_link_unanswered(app->routes);
}

static int64_t gateway_figures_read_lag(void *arg)
{
	struct app *app = arg;

	return (int64_t)atomic_load(&app->registration->lag_ms);
}

void gateway_figures_of_node(struct node_figures *out, void *arg)
{
	struct app *app = arg;

	*out = (struct node_figures){
		.connections = atomic_load(&app->connections),
		.queue_bytes = (uint64_t)gateway_figures_read_queue_bytes(app),
	};
	for (unsigned i = 0; i < app->worker_count; i++) {
		uint64_t lag_ms = ws_worker_take_lag_ms(&app->workers[i]); /* read once: reading resets it */

		out->lag_ms = MAX(out->lag_ms, lag_ms);
	}
}

void gateway_figures_add(struct app *app)
{
	metrics_gauge_fn("skein_gateway_connections", "Connections, from a good handshake on.", NULL,
	                 gateway_figures_read_connections, app);
	metrics_gauge_fn("skein_gateway_handshakes_under_way", "Connections that are not upgraded yet.", NULL,
	                 gateway_figures_read_handshakes, app);
	metrics_gauge_fn("skein_gateway_handshake_bytes", "Bytes kept for clients that are not admitted yet.", NULL,
	                 gateway_figures_read_handshake_bytes, app);
	metrics_gauge_fn("skein_gateway_queue_bytes", "Bytes that wait for clients.", NULL, gateway_figures_read_queue_bytes, app);
	metrics_gauge_fn("skein_gateway_stalled_bytes",
	                 "Bytes that wait for clients that do not read, those in the transport included.", NULL,
	                 gateway_figures_read_stalled_bytes, app);
	metrics_gauge_fn("skein_gateway_reads_under_way", "Reads of inboxes that im has not answered.", NULL,
	                 gateway_figures_read_reads, app);
	metrics_gauge_fn("skein_gateway_route_changes", "Changes of routes that router has not answered.", NULL,
	                 gateway_figures_read_route_changes, app);
	metrics_gauge_fn("skein_gateway_lag_ms", "Longest turn of a worker's loop before the last renewal.", NULL,
	                 gateway_figures_read_lag, app);
}
