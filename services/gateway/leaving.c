#include "gateway/leaving.h"

#include "base/clock.h"
#include "base/log.h"
#include "gateway/app.h"

#define LOOK_EVERY_MS 20

/* The steps after MOVING, out of drain.timeout. */
#define CLOSING_MS 2500
#define UNBINDING_MS 1000
#define AFTER_MOVING_MS 4500 /* both, and RemoveNode, which takes a second at most unless router is away */

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

static void begin_closing(struct leaving *leaving)
{
	log_info("closing connections", LOG_NUM("connections", atomic_load(&leaving->app->connections)));
	for (unsigned i = 0; i < leaving->app->worker_count; i++)
		ws_worker_close_all(&leaving->app->workers[i], 1001, "this node goes away");
	enter(leaving, LEAVING_CLOSING, CLOSING_MS);
}

static void look(struct timer *timer)
{
	struct leaving *leaving = container_of(timer, struct leaving, timer);
	struct app *app = leaving->app;
	uint64_t now_ms = clock_mono_ms();
	bool is_late = now_ms >= leaving->deadline_ms;
	bool is_empty = atomic_load(&app->connections) == 0;

	if (leaving->step == LEAVING_MOVING && (is_empty || is_late))
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
	registration_drain(&app->registration);
}

void leaving_begin(struct app *app)
{
	uint64_t timeout_ms = (uint64_t)app->config.drain_timeout_ms;
	uint64_t moving_ms = timeout_ms > AFTER_MOVING_MS ? timeout_ms - AFTER_MOVING_MS : 0;

	if (app->leaving.step != LEAVING_NOT)
		return;
	log_info("leaving", LOG_NUM("connections", atomic_load(&app->connections)));
	get_ready(app);
	for (unsigned i = 0; i < app->worker_count; i++)
		ws_worker_drain(&app->workers[i], moving_ms);
	enter(&app->leaving, LEAVING_MOVING, moving_ms);
}

void leaving_at_once(struct app *app)
{
	app->exit_code = 1;
	if (app->leaving.step != LEAVING_NOT)
		return;
	get_ready(app);
	begin_closing(&app->leaving);
}
