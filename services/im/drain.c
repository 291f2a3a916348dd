#include "im/drain.h"

#include "base/clock.h"
#include "cluster/node_list.h"
#include "im/admin/audit_keeper.h"
#include "im/app.h"
#include "im/callers/known_users.h"
#include "im/callers/rates.h"
#include "im/callers/verified_tokens.h"
#include "im/changes/kicks.h"
#include "im/conversations/conversations.h"
#include "im/db/pg_pools.h"
#include "im/events/events.h"
#include "im/jobs/job_runner.h"
#include "im/overload/overload.h"
#include "im/presence/presence_teller.h"
#include "im/retention/retention.h"
#include "im/sync/sync.h"
#include "im/takeover/takeover.h"
#include "net/http/http_server.h"
#include "net/jwt.h"
#include "rpc/client/rpc_client.h"
#include "rpc/server/rpc_server.h"

#define DRAIN_POLL_MS 20

/* In units of send.timeout: a call from a gateway takes at most the time of a send and of the query before it. */
#define RPC_GRACE_TIMEOUTS 3

static void drain_on_redis_closed(void *arg)
{
	struct app *app = arg;

	job_runner_release(app->jobs);
	rest_walks_release(&app->conversations->rest_walks);
	presence_teller_release(app->presence_teller);
	sync_release(app->sync);
	message_cache_release(app->message_cache);
	known_users_release(app->known_users);
	verified_tokens_release(app->verified_tokens);
	jwt_keys_unwatch(app->keys);
	rates_release(app->rates);
	change_feed_release(app->changes);
	jwt_keys_free(app->keys);
	service_leave(&app->service);
}

static void drain_on_http_closed(void *arg)
{
	struct app *app = arg;

	node_list_free(app->gateways);
	redis_close(app->redis, drain_on_redis_closed, app);
}

static void drain_on_pg_closed(void *arg)
{
	struct app *app = arg;

	entry_writer_close(app->entries);
	http_server_close(app->http, drain_on_http_closed, app);
}

static void drain_on_client_closed(void *arg)
{
	struct app *app = arg;

	pg_pools_close(app->pg, drain_on_pg_closed, app);
}

static void drain_on_given_back(void *arg)
{
	struct app *app = arg;

	rpc_client_close(app->client, &app->service.worker, drain_on_client_closed, app);
}

static void drain_on_producer_closed(void *arg)
{
	struct app *app = arg;

	lease_keeper_leave(app->lease_keeper, drain_on_given_back, app);
}

static uint64_t drain_left_ms(const struct app *app)
{
	uint64_t now = clock_mono_ms();

	return app->drain_until_ms > now ? app->drain_until_ms - now : 0;
}

/* Continues when every request is answered. A batch whose outcome is not known yet may take until the deadline. */
static void drain_on_timer(struct timer *timer)
{
	struct app *app = container_of(timer, struct app, drain_timer);

	if (http_server_pending(app->http) > 0 || (!entry_writer_is_idle(app->entries) && drain_left_ms(app) > 0)) {
		worker_arm_in(&app->service.worker, &app->drain_timer, DRAIN_POLL_MS);
		return;
	}
	http_server_refuse(app->http); /* from here on the parts that handlers use are closed one after the other */
	change_feed_stop(app->changes);
	audit_keeper_stop(app->audit_keeper);
	kicks_close(app->kicks);
	overload_stop(app->overload);
	presence_teller_stop(app->presence_teller);
	rpc_channel_close(app->routers);
	publisher_stop(app->publisher);
	events_stop(app->events);
	kafka_producer_close(app->producer, drain_left_ms(app), drain_on_producer_closed, app);
}

static void drain_on_rpc_closed(void *arg)
{
	struct app *app = arg;

	drain_on_timer(&app->drain_timer);
}

/* The balancers have looked at /readyz by now. */
static void drain_on_noticed(struct timer *timer)
{
	struct app *app = container_of(timer, struct app, drain_timer);

	timer_init(&app->drain_timer, drain_on_timer);
	takeover_stop(app->takeover);
	retention_stop(app->retention);
	job_runner_stop(app->jobs);
	http_server_stop_listening(app->http);
	rpc_server_set_serving(app->rpc, false);
	rpc_server_close(app->rpc, RPC_GRACE_TIMEOUTS * (uint64_t)app->config.send_timeout_ms, drain_on_rpc_closed, app);
}

void drain(void *arg)
{
	struct app *app = arg;
	const uint64_t notice_ms = (uint64_t)app->config.drain_notice_ms;

	app->drain_until_ms = clock_mono_ms() + notice_ms + (uint64_t)app->config.drain_timeout_ms;
	timer_init(&app->drain_timer, drain_on_noticed);
	if (notice_ms)
		worker_arm_in(&app->service.worker, &app->drain_timer, notice_ms);
	else
		drain_on_noticed(&app->drain_timer);
}
