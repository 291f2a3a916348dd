#include "gateway/drain/drain.h"

#include "base/clock.h"
#include "base/macros.h"
#include "base/telemetry/log.h"
#include "gateway/app.h"
#include "gateway/config.h"
#include "gateway/router/registration.h"
#include "gateway/router/route_link.h"
#include "gateway/worker/ws_orders.h"
#include "gateway/worker/ws_worker.h"
#include "proto/router.pb-c.h"
#include "rpc/server/rpc_server.h"
#include "service/service.h"

#define DRAIN_LOOK_EVERY_MS 20

/* How much of drain.timeout the steps other than MOVING may take. */
#define DRAIN_ASKING_MS 1000
#define DRAIN_ANSWERING_MS 1500
#define DRAIN_CLOSING_MS 2500
#define DRAIN_UNBINDING_MS 1000
#define DRAIN_BESIDE_MOVING_MS 7000 /* their sum, and 1 s for RemoveNode */

/* 500 clients move a second, so that their handshakes do not overload the other gateways. A short drain.timeout makes it more. */
#define DRAIN_MS_BETWEEN_MOVES 2

/* A client still connected this long after its reconnect time ignores the request; it is closed. */
#define DRAIN_LATE_MS 3000

static void drain_enter(struct drain *drain, enum drain_step step, uint64_t timeout_ms)
{
	uint64_t now_ms = clock_mono_ms();

	drain->step = step;
	drain->deadline_ms = now_ms + timeout_ms;
	worker_arm(&drain->app->service->worker, &drain->timer, now_ms + DRAIN_LOOK_EVERY_MS);
}

static void drain_close_all(struct drain *drain, bool is_patient)
{
	for (unsigned i = 0; i < drain->app->worker_count; i++)
		ws_worker_close_all(&drain->app->workers[i], 1001, "this node goes away", is_patient);
}

static void drain_begin_closing(struct drain *drain)
{
	drain_close_all(drain, false);
	drain_enter(drain, DRAIN_CLOSING, DRAIN_CLOSING_MS);
}

static void drain_begin_moving(struct drain *drain)
{
	struct app *app = drain->app;
	uint64_t connections = atomic_load(&app->connections), timeout_ms = (uint64_t)app->config->drain_timeout_ms;
	uint64_t moving_ms = timeout_ms > DRAIN_BESIDE_MOVING_MS ? timeout_ms - DRAIN_BESIDE_MOVING_MS : 0;
	uint64_t spread_ms = MIN(moving_ms, connections * DRAIN_MS_BETWEEN_MOVES);

	move_targets_divide(&drain->targets, connections);
	log_info("moving connections", LOG_NUM("connections", connections), LOG_NUM("within_ms", spread_ms),
	         LOG_NUM("gateways", drain->targets.count));
	for (unsigned i = 0; i < app->worker_count; i++)
		ws_worker_move_all(&app->workers[i], &drain->targets, spread_ms);
	drain_enter(drain, DRAIN_MOVING, MIN(moving_ms, spread_ms + DRAIN_LATE_MS));
}

static void drain_on_told(const Skein__V1__Renewed *renewed, void *arg)
{
	struct drain *drain = ((struct app *)arg)->drain;

	if (drain->step != DRAIN_ASKING)
		return; /* too late */
	for (size_t i = 0; i < renewed->n_others; i++)
		move_targets_add(&drain->targets, renewed->others[i]->ws_url, renewed->others[i]->connections);
	drain_begin_moving(drain);
}

static void drain_on_removed(void *arg)
{
	struct app *app = arg;

	app->drain->step = DRAIN_ENDED;
	app->take_down(app);
}

static void drain_look(struct timer *timer)
{
	struct drain *drain = container_of(timer, struct drain, timer);
	struct app *app = drain->app;
	uint64_t now_ms = clock_mono_ms();
	bool is_late = now_ms >= drain->deadline_ms;
	bool is_over = is_late || atomic_load(&app->connections) == 0;

	if (drain->step == DRAIN_ASKING && is_over) {
		drain_begin_moving(drain);
	} else if (drain->step == DRAIN_MOVING && is_over) {
		log_info("closing connections", LOG_NUM("connections", atomic_load(&app->connections)));
		drain_close_all(drain, true);
		drain_enter(drain, DRAIN_ANSWERING, DRAIN_ANSWERING_MS);
	} else if (drain->step == DRAIN_ANSWERING && is_over) {
		drain_begin_closing(drain);
	} else if (drain->step == DRAIN_CLOSING && is_over) {
		drain_enter(drain, DRAIN_UNBINDING, DRAIN_UNBINDING_MS);
	} else if (drain->step == DRAIN_UNBINDING && (is_late || !route_link_unanswered(app->routes))) {
		registration_end(app->registration, drain_on_removed);
	} else {
		worker_arm(&app->service->worker, &drain->timer, now_ms + DRAIN_LOOK_EVERY_MS);
	}
}

static void drain_get_ready(struct app *app)
{
	app->drain->app = app;
	timer_init(&app->drain->timer, drain_look);
	rpc_server_set_serving(app->server, false);
	for (unsigned i = 0; i < app->worker_count; i++)
		ws_worker_stop_listening(&app->workers[i]);
	registration_drain(app->registration, drain_on_told);
}

void drain_begin(struct app *app)
{
	if (app->drain->step != DRAIN_NOT)
		return;
	log_info("leaving", LOG_NUM("connections", atomic_load(&app->connections)));
	drain_get_ready(app);
	drain_enter(app->drain, DRAIN_ASKING, DRAIN_ASKING_MS);
}

void drain_at_once(struct app *app)
{
	service_fail(app->service);
	if (app->drain->step != DRAIN_NOT)
		return;
	drain_get_ready(app);
	drain_begin_closing(app->drain);
}
