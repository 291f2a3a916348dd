/* push: from Kafka to inboxes and gateways. This file wires; intake.c is where a message comes in. */

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/telemetry/log.h"
#include "base/telemetry/metrics.h"
#include "cluster/node_list.h"
#include "deliver/gateways.h"
#include "net/http/internal_server.h"
#include "message/topics.h"
#include "push/app.h"
#include "push/events/event_intake.h"
#include "push/intake/intake.h"
#include "push/intake/load_report.h"
#include "push/order/conversations.h"
#include "push/recipients/member_cache.h"
#include "rpc/client/rpc_client.h"
#include "service/redis_check.h"
#include "store/kafka/kafka.h"
#include "store/pg/pg.h"
#include "store/redis/redis.h"

/* After a restart, events of the last second may come again; they are dropped only by age. */
#define EVENT_COMMIT_INTERVAL_MS 1000

static const struct pg_statement push_ping = { "push_ping", "select 1" };

/* ---- readiness ---- */

static void on_pg_pong(void *arg, err_t err, const PGresult *result)
{
	(void)result;
	readiness_done(arg, err);
}

static void check_pg(struct readiness_run *run, void *arg)
{
	struct app *app = arg;

	pg_query(app->pg, PG_ANY_LANE, &push_ping, NULL, on_pg_pong, run);
}

struct topics_check {
	struct app *app;
	struct readiness_run *run;
};

static void on_event_topic_seen(void *arg, err_t err)
{
	readiness_done(arg, err);
}

static void on_message_topic_seen(void *arg, err_t err)
{
	struct topics_check *check = arg;
	struct app *app = check->app;
	struct readiness_run *run = check->run;

	mem_free(check);
	if (err)
		readiness_done(run, err);
	else
		kafka_probe_topic(&app->service.worker, app->config.kafka_brokers, TOPIC_EVENT, READINESS_TIMEOUT_MS,
		                  on_event_topic_seen, run);
}

static void check_kafka(struct readiness_run *run, void *arg)
{
	struct app *app = arg;

	if (!intake_has_joined(app->intake) || !event_intake_has_joined(app->events)) {
		readiness_done(run, ERR_UNAVAILABLE);
		return;
	}
	struct topics_check *check = MEM_NEW(struct topics_check);
	*check = (struct topics_check){ app, run };
	kafka_probe_topic(&app->service.worker, app->config.kafka_brokers, TOPIC_MESSAGE, READINESS_TIMEOUT_MS,
	                  on_message_topic_seen, check);
}

/* The first message must not wait for streams to be opened. A gateway that does not answer holds up readiness only so long. */
#define STREAMS_PATIENCE_MS 3000

static void check_gateways(struct readiness_run *run, void *arg)
{
	struct app *app = arg;

	app->has_reached_gateways |= gateways_are_reached(app->gateways) ||
	                             clock_mono_ms() >= app->started_ms + STREAMS_PATIENCE_MS;
	readiness_done(run, app->has_reached_gateways ? OK : ERR_UNAVAILABLE);
}

/* ---- metrics ---- */

static int64_t read_in_flight(void *arg)
{
	struct app *app = arg;

	return (int64_t)conversations_load(app->conversations).messages;
}

static int64_t read_in_flight_bytes(void *arg)
{
	struct app *app = arg;

	return (int64_t)conversations_load(app->conversations).bytes;
}

static int64_t read_slim(void *arg)
{
	struct app *app = arg;

	return (int64_t)conversations_load(app->conversations).slim;
}

static int64_t read_known(void *arg)
{
	struct app *app = arg;

	return (int64_t)conversations_load(app->conversations).known;
}

static int64_t read_lag(void *arg)
{
	struct app *app = arg;

	return intake_lag(app->intake);
}

static void offer_gauges(struct app *app)
{
	metrics_gauge_fn("skein_push_in_flight", "Messages taken and not answered; at most in_flight.max.", NULL,
	                 read_in_flight, app);
	metrics_gauge_fn("skein_push_in_flight_bytes", "Bytes of the messages in flight; at most in_flight.max_bytes.",
	                 NULL, read_in_flight_bytes, app);
	metrics_gauge_fn("skein_push_slim", "Messages under way of which only the place is kept; at most slim.max.",
	                 NULL, read_slim, app);
	metrics_gauge_fn("skein_push_conversations", "Conversations remembered: those under way, and idle ones.",
	                 NULL, read_known, app);
	metrics_gauge_fn("skein_push_lag", "Records between the committed offsets and the ends of our partitions.", NULL,
	                 read_lag, app);
}

/* ---- leaving: stop taking, wait for the messages under way, commit, then close the stores ---- */

static void on_stores_closed(void *arg)
{
	struct app *app = arg;

	conversations_free(app->conversations);
	event_intake_free(app->events);
	member_cache_free(app->members);
	load_report_free(app->load_report);
	intake_free(app->intake);
	service_leave(&app->service);
}

static void on_pg_closed(void *arg)
{
	struct app *app = arg;

	redis_close(app->redis, on_stores_closed, app);
}

static void on_rpc_closed(void *arg)
{
	struct app *app = arg;

	pg_close(app->pg, on_pg_closed, app);
}

static void on_intake_closed(void *arg)
{
	struct app *app = arg;

	if (conversations_in_flight(app->conversations)) {
		/* Their offsets are not committed: the partition's next owner sends them. */
		log_warn("leaving with messages under way", LOG_U64("messages", conversations_in_flight(app->conversations)));
		_exit(0);
	}
	load_report_stop(app->load_report);
	conversations_stop(app->conversations);
	gateways_free(app->gateways);
	node_list_free(app->nodes);
	rpc_client_close(app->rpc, &app->service.worker, on_rpc_closed, app);
}

static void on_events_closed(void *arg)
{
	struct app *app = arg;

	intake_close(app->intake, on_intake_closed, app);
}

static void look_whether_all_is_answered(struct timer *timer)
{
	struct app *app = container_of(timer, struct app, leave);

	bool is_busy = conversations_in_flight(app->conversations) || intake_dead_letters(app->intake);

	if (is_busy && clock_mono_ms() < app->leave_by_ms)
		worker_arm_in(&app->service.worker, &app->leave, 20);
	else
		event_intake_close(app->events, on_events_closed, app);
}

static void drain(void *arg)
{
	struct app *app = arg;

	intake_stop(app->intake);
	app->leave_by_ms = clock_mono_ms() + (uint64_t)app->config.drain_timeout_ms;
	timer_init(&app->leave, look_whether_all_is_answered);
	worker_arm(&app->service.worker, &app->leave, clock_mono_ms());
}

/* ---- starting ---- */

static err_t open_stores(struct app *app)
{
	const struct pg_options pg_options = {
		.uri = app->config.pg_uri,
		.connections = (unsigned)app->config.pg_connections,
		.max_waiting = 10000,
		.waiting_gauge = metrics_gauge("skein_push_postgres_waiting", "Statements that PostgreSQL has not answered.", NULL),
		.timeout_ms = (uint64_t)app->config.pg_timeout_ms,
		.settings = PG_BY_INDEX,
	};
	const struct redis_options redis_options = {
		.uri = app->config.redis_uri,
		.max_waiting = (unsigned)app->config.redis_max_waiting,
		.waiting_gauge = metrics_gauge("skein_push_redis_waiting", "Commands that Redis has not answered.", NULL),
		.timeout_ms = (uint64_t)app->config.redis_timeout_ms,
	};

	err_t err = pg_new(&app->pg, &app->service.worker, &pg_options);
	if (!err)
		err = redis_new(&app->redis, &app->service.worker, &redis_options);
	if (!err)
		err = rpc_client_new(&app->rpc);
	return err;
}

static bool is_intake_paused(void *arg)
{
	struct app *app = arg;

	return intake_is_paused(app->intake);
}

static err_t open_events(struct app *app)
{
	char group[160];
	const struct event_intake_options options = {
		.consumer = {
			.brokers = app->config.kafka_brokers,
			.client_id = app->config.common.node_name,
			.group = group,
			.topic = TOPIC_EVENT,
			.commit_interval_ms = EVENT_COMMIT_INTERVAL_MS,
		},
		.redis = app->redis,
		.gateways = app->gateways,
		.is_busy = is_intake_paused,
		.arg = app,
	};

	snprintf(group, sizeof(group), "%s-events", app->config.kafka_group);
	return event_intake_new(&app->events, &app->service.worker, &options);
}

static err_t open_flow(struct app *app)
{
	const struct intake_options intake_options = {
		.consumer = {
			.brokers = app->config.kafka_brokers,
			.client_id = app->config.common.node_name,
			.group = app->config.kafka_group,
			.topic = TOPIC_MESSAGE,
			.commit_interval_ms = (uint64_t)app->config.kafka_commit_interval_ms,
		},
		.limits = {
			.messages = (size_t)app->config.max_in_flight,
			.bytes = (size_t)app->config.max_in_flight_bytes,
			.slim = (size_t)app->config.max_slim,
		},
	};

	app->started_ms = clock_mono_ms();
	app->nodes = node_list_new(app->redis, &app->service.worker);
	app->gateways = gateways_new(&app->service.worker, app->rpc, app->nodes, (uint64_t)app->config.gateway_give_up_ms);
	app->members = member_cache_new(app->pg, (uint64_t)app->config.max_members);
	err_t err = intake_new(&app->intake, &app->service.worker, &intake_options);
	if (err)
		return err;
	app->load_report = load_report_new(&app->service.worker, app->redis, app->config.common.node_name, app->intake);
	const struct conversations_options options = {
		.worker = &app->service.worker,
		.redis = app->redis,
		.pg = app->pg,
		.gateways = app->gateways,
		.members = app->members,
		.inbox_limits = inbox_limits_of(&app->config.inbox),
		.max_conversations = (size_t)app->config.max_conversations,
		.max_cached_routes = (size_t)app->config.max_routes,
		.wait = load_report_wait(app->load_report),
		.finished = intake_finished,
		.unknown = intake_unknown,
		.eased = intake_eased,
		.arg = app->intake,
	};
	app->conversations = conversations_new(&options);
	offer_gauges(app);
	load_report_start(app->load_report, app->conversations);
	err = intake_start(app->intake, app->conversations);
	return err ? err : open_events(app);
}

static err_t start(void *arg)
{
	struct app *app = arg;

	err_t err = open_stores(app);
	return err ? err : open_flow(app);
}

static struct app app;

static const struct readiness_check checks[] = {
	{ .name = "postgres", .start = check_pg, .arg = &app },
	{ .name = "redis", .start = service_check_redis, .arg = &app.redis },
	{ .name = "kafka", .start = check_kafka, .arg = &app },
	{ .name = "gateways", .start = check_gateways, .arg = &app },
};

static const struct service_definition definition = {
	.config_table = &push_config_table,
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
