#include "gateway/drain/drain.h"

#include "base/clock.h"
#include "base/telemetry/log.h"
#include "gateway/app.h"
#include "proto/router.pb-c.h"

#define LOOK_EVERY_MS 20

/* The steps but MOVING, out of drain.timeout. */
#define ASKING_MS 1000
#define ANSWERING_MS 1500
#define CLOSING_MS 2500
#define UNBINDING_MS 1000
#define BESIDE_MOVING_MS 7000 /* all of them, and RemoveNode, which takes a second at most unless router is away */

/* The other gateways get no more than 500 handshakes a second, if there is time for it. */
#define MS_BETWEEN_MOVES 2

/* Who has not gone so long after the last one was to go does not follow. */
#define LATE_MS 3000

static void enter(struct leaving *leaving, enum leaving_step step, uint64_t timeout_ms)
{
	uint64_t now_ms = clock_mono_ms();

	leaving->step = step;
	leaving->deadline_ms = now_ms + timeout_ms;
	worker_arm(&leaving->app->main, &leaving->timer, now_ms + LOOK_EVERY_MS);
}

/* ---- ENDING ---- */

static void on_all_closed(void *arg)
{
	struct app *app = arg;

	worker_stop(&app->main);
}

/* Nothing is posted to the main worker any more: what was, is through. */
static void on_last_task(struct task *task)
{
	struct app *app = container_of(task, struct app, last_task);

	signals_close(&app->signals);
	internal_server_close(app->internal, on_all_closed, app);
}

static void on_client_closed(void *arg)
{
	struct app *app = arg;

	for (unsigned i = 0; i < app->worker_count; i++)
		ws_worker_end(&app->workers[i]);
	app->last_task.run = on_last_task;
	worker_post(&app->main, &app->last_task);
}

static void on_rpc_closed(void *arg)
{
	struct app *app = arg;

	route_link_close(&app->routes);
	rpc_channel_close(app->im);
	rpc_channel_close(app->router);
	rpc_channel_close(app->routes_channel);
	rpc_client_close(app->client, &app->main, on_client_closed, app);
}

static void on_server_closed(struct app *app, err_t err)
{
	(void)err;
	if (--app->leaving.servers_left == 0)
		rpc_server_close(app->server, 0, on_rpc_closed, app);
}

static void on_removed(struct app *app)
{
	app->leaving.step = LEAVING_ENDING;
	app->leaving.servers_left = app->worker_count;
	for (unsigned i = 0; i < app->worker_count; i++)
		ws_worker_close_server(&app->workers[i], on_server_closed);
}

/* ---- before ---- */

static void begin_unbinding(struct leaving *leaving)
{
	enter(leaving, LEAVING_UNBINDING, UNBINDING_MS);
}

static void close_all(struct leaving *leaving, bool is_patient)
{
	for (unsigned i = 0; i < leaving->app->worker_count; i++)
		ws_worker_close_all(&leaving->app->workers[i], 1001, "this node goes away", is_patient);
}

static void begin_closing(struct leaving *leaving)
{
	close_all(leaving, false);
	enter(leaving, LEAVING_CLOSING, CLOSING_MS);
}

static void begin_answering(struct leaving *leaving)
{
	log_info("closing connections", LOG_NUM("connections", atomic_load(&leaving->app->connections)));
	close_all(leaving, true);
	enter(leaving, LEAVING_ANSWERING, ANSWERING_MS);
}

static void begin_moving(struct leaving *leaving)
{
	struct app *app = leaving->app;
	uint64_t connections = atomic_load(&app->connections), timeout_ms = (uint64_t)app->config.drain_timeout_ms;
	uint64_t moving_ms = timeout_ms > BESIDE_MOVING_MS ? timeout_ms - BESIDE_MOVING_MS : 0;
	uint64_t spread_ms = MIN(moving_ms, connections * MS_BETWEEN_MOVES);

	elsewhere_divide(&leaving->elsewhere, connections);
	log_info("moving connections", LOG_NUM("connections", connections), LOG_NUM("within_ms", spread_ms),
	         LOG_NUM("gateways", leaving->elsewhere.count));
	for (unsigned i = 0; i < app->worker_count; i++)
		ws_worker_move_all(&app->workers[i], &leaving->elsewhere, spread_ms);
	enter(leaving, LEAVING_MOVING, MIN(moving_ms, spread_ms + LATE_MS));
}

static void on_told(struct app *app, const Skein__V1__Renewed *renewed)
{
	struct leaving *leaving = &app->leaving;

	if (leaving->step != LEAVING_ASKING)
		return; /* too late */
	for (size_t i = 0; i < renewed->n_others; i++)
		elsewhere_add(&leaving->elsewhere, renewed->others[i]->ws_url, renewed->others[i]->connections);
	begin_moving(leaving);
}

static void look(struct timer *timer)
{
	struct leaving *leaving = container_of(timer, struct leaving, timer);
	struct app *app = leaving->app;
	uint64_t now_ms = clock_mono_ms();
	bool is_late = now_ms >= leaving->deadline_ms;
	bool is_empty = atomic_load(&app->connections) == 0;

	if (leaving->step == LEAVING_ASKING && (is_empty || is_late))
		begin_moving(leaving);
	else if (leaving->step == LEAVING_MOVING && (is_empty || is_late))
		begin_answering(leaving);
	else if (leaving->step == LEAVING_ANSWERING && (is_empty || is_late))
		begin_closing(leaving);
	else if (leaving->step == LEAVING_CLOSING && (is_empty || is_late))
		begin_unbinding(leaving);
	else if (leaving->step == LEAVING_UNBINDING && (route_link_is_idle(&app->routes) || is_late))
		registration_end(&app->registration, on_removed);
	else
		worker_arm(&app->main, &leaving->timer, now_ms + LOOK_EVERY_MS);
}

static void get_ready(struct app *app)
{
	app->leaving.app = app;
	timer_init(&app->leaving.timer, look);
	internal_server_drain(app->internal);
	rpc_server_set_serving(app->server, false);
	for (unsigned i = 0; i < app->worker_count; i++)
		ws_worker_stop_listening(&app->workers[i]);
	registration_drain(&app->registration, on_told);
}

void leaving_begin(struct app *app)
{
	if (app->leaving.step != LEAVING_NOT)
		return;
	log_info("leaving", LOG_NUM("connections", atomic_load(&app->connections)));
	get_ready(app);
	enter(&app->leaving, LEAVING_ASKING, ASKING_MS);
}

void leaving_at_once(struct app *app)
{
	app->exit_code = 1;
	if (app->leaving.step != LEAVING_NOT)
		return;
	get_ready(app);
	begin_closing(&app->leaving);
}
