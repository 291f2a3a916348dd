#include "im/drain.h"

#include "base/clock.h"
#include "base/telemetry/log.h"
#include "im/app.h"

#define POLL_MS 20

/* Calls from gateways end by the deadline of a send and that of the query before it. */
#define RPC_GRACE_TIMEOUTS 3

static void on_all_closed(void *arg)
{
	struct app *app = arg;

	sync_release(&app->sync);
	message_cache_release(&app->messages);
	known_users_release(&app->known_users);
	user_lru_release(&app->send_rates);
	user_lru_release(&app->login_rates);
	user_lru_release(&app->logout_rates);
	revocation_feed_release(&app->revocations);
	jwt_keys_free(app->keys);
	signals_close(&app->signals);
	worker_stop(&app->worker);
}

static void on_redis_closed(void *arg)
{
	struct app *app = arg;

	internal_server_close(app->internal, on_all_closed, app);
}

static void on_http_closed(void *arg)
{
	struct app *app = arg;

	node_list_free(app->gateways);
	redis_close(app->redis, on_redis_closed, app);
}

static void on_pg_closed(void *arg)
{
	struct app *app = arg;

	entry_writer_close(&app->entries);
	http_server_close(app->http, on_http_closed, app);
}

static void on_client_closed(void *arg)
{
	struct app *app = arg;

	pg_pools_close(&app->pg, on_pg_closed, app);
}

static void on_given_back(void *arg)
{
	struct app *app = arg;

	rpc_client_close(app->client, &app->worker, on_client_closed, app);
}

static void on_producer_closed(void *arg)
{
	struct app *app = arg;

	lease_keeper_leave(&app->lease_keeper, on_given_back, app);
}

static uint64_t left_ms(const struct app *app)
{
	uint64_t now = clock_mono_ms();

	return app->drain_until_ms > now ? app->drain_until_ms - now : 0;
}

/* Everybody has an answer; a batch whose outcome is looked for may have until the end. */
static void on_drain_timer(struct timer *timer)
{
	struct app *app = container_of(timer, struct app, drain_timer);

	if (http_server_pending(app->http) > 0 || (!entry_writer_is_idle(&app->entries) && left_ms(app) > 0)) {
		worker_arm(&app->worker, &app->drain_timer, clock_mono_ms() + POLL_MS);
		return;
	}
	revocation_feed_stop(&app->revocations);
	kicks_close(&app->kicks);
	overload_stop(&app->overload);
	rpc_channel_close(app->routers);
	publisher_stop(&app->publisher);
	events_stop(&app->events);
	kafka_producer_close(app->producer, left_ms(app), on_producer_closed, app);
}

static void on_rpc_closed(void *arg)
{
	struct app *app = arg;

	on_drain_timer(&app->drain_timer);
}

void drain(void *arg)
{
	struct app *app = arg;

	app->drain_until_ms = clock_mono_ms() + (uint64_t)app->config.drain_timeout_ms;
	timer_init(&app->drain_timer, on_drain_timer);
	takeover_stop(&app->takeover);
	internal_server_drain(app->internal);
	http_server_stop_listening(app->http);
	rpc_server_set_serving(app->rpc, false);
	rpc_server_close(app->rpc, RPC_GRACE_TIMEOUTS * (uint64_t)app->config.send_timeout_ms, on_rpc_closed, app);
}
