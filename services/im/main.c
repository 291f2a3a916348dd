/* im: accounts, groups and messages. This file wires the parts; README.md is the map. */

#include <unistd.h>

#include "base/random.h"
#include "base/telemetry/log.h"
#include "base/telemetry/metrics.h"
#include "cluster/node_list.h"
#include "im/accounts/accounts.h"
#include "im/admin/admin.h"
#include "im/admin/audit_keeper.h"
#include "im/app.h"
#include "im/changes/kicks.h"
#include "im/contacts/contacts.h"
#include "im/conversations/conversations.h"
#include "im/db/migrate.h"
#include "im/db/pg_pools.h"
#include "im/drain.h"
#include "im/events/events.h"
#include "im/groups/groups.h"
#include "im/http/dispatcher.h"
#include "im/jobs/job_runner.h"
#include "im/presence/presence.h"
#include "im/presence/presence_teller.h"
#include "im/readiness.h"
#include "im/retention/retention.h"
#include "im/routes.h"
#include "im/rpc/rpc_api.h"
#include "im/takeover/takeover.h"
#include "message/topics.h"
#include "rpc/client/rpc_client.h"
#include "rpc/server/descriptor_set.h"
#include "service/redis_check.h"

/* The parts of the process. They live as long as it does. */
static struct parts {
	struct pg_pools pg;
	struct verified_tokens verified_tokens;
	struct known_users known_users;
	struct change_feed changes;
	struct audit_keeper audit_keeper;
	struct kicks kicks;
	struct rates rates;
	struct lease_keeper lease_keeper;
	struct publisher publisher;
	struct events events;
	struct entry_writer entries;
	struct takeover takeover;
	struct retention retention;
	struct overload overload;
	struct message_cache message_cache;
	struct accounts accounts;
	struct admin admin;
	struct contacts contacts;
	struct conversations conversations;
	struct groups groups;
	struct messages messages;
	struct sync sync;
	struct jobs jobs;
	struct presence_calls presence;
	struct acked_ranges acked_ranges;
	struct presence_teller presence_teller;
	struct rpc_api rpc_api;
	struct dispatcher dispatcher;
} parts;

static struct app im = {
	.pg = &parts.pg,
	.verified_tokens = &parts.verified_tokens,
	.known_users = &parts.known_users,
	.changes = &parts.changes,
	.audit_keeper = &parts.audit_keeper,
	.kicks = &parts.kicks,
	.rates = &parts.rates,
	.lease_keeper = &parts.lease_keeper,
	.publisher = &parts.publisher,
	.events = &parts.events,
	.entries = &parts.entries,
	.takeover = &parts.takeover,
	.retention = &parts.retention,
	.overload = &parts.overload,
	.message_cache = &parts.message_cache,
	.accounts = &parts.accounts,
	.admin = &parts.admin,
	.contacts = &parts.contacts,
	.conversations = &parts.conversations,
	.groups = &parts.groups,
	.messages = &parts.messages,
	.sync = &parts.sync,
	.jobs = &parts.jobs,
	.presence = &parts.presence,
	.acked_ranges = &parts.acked_ranges,
	.presence_teller = &parts.presence_teller,
	.rpc_api = &parts.rpc_api,
	.dispatcher = &parts.dispatcher,
};

static err_t open_clients(struct app *app)
{
	/* With the record of /readyz im knows the topics of messages and events, too. */
	static const char *const topics[] = { TOPIC_MESSAGE, TOPIC_EVENT, TOPIC_PROBE, NULL };
	const struct im_config *config = &app->config;
	const struct redis_options redis = {
		.uri = config->redis_uri,
		.max_waiting = 20000,
		.waiting_gauge = metrics_gauge("skein_im_redis_waiting", "Commands that Redis has not answered.", NULL),
		.timeout_ms = 2000,
	};
	const struct kafka_producer_options kafka = {
		.brokers = config->kafka_brokers,
		.client_id = config->common.node_name,
		.max_waiting = (unsigned)config->kafka_max_waiting + EVENTS_MAX_WAITING,
		.max_waiting_bytes = (uint64_t)config->kafka_max_waiting_bytes + EVENTS_MAX_WAITING_BYTES,
		.topics = topics,
	};

	err_t err = pg_pools_open(app->pg, &app->service.worker, config);
	if (!err)
		err = redis_new(&app->redis, &app->service.worker, &redis);
	if (!err)
		err = kafka_producer_new(&app->producer, &app->service.worker, &kafka);
	if (!err)
		err = rpc_client_new(&app->client);
	if (!err)
		err = rpc_channel_new(&app->routers, app->client, config->router_targets);
	return err;
}

/* The parts that store and publish entries, and those that limit them. */
static void init_entries(struct app *app)
{
	const struct im_config *config = &app->config;
	const struct entry_writer_options options = {
		.lanes = (unsigned)config->batch_lanes,
		.batch_max = (unsigned)config->batch_max,
		.max_waiting = (unsigned)config->send_max_waiting,
		.timeout_ms = (uint64_t)config->send_timeout_ms,
		.system_user = str_from(config->admin_system_user),
		.messages = app->message_cache,
	};
	struct admission admission;

	lease_keeper_start(app->lease_keeper, &app->service.worker, app->pg->control, config->common.node_name,
	                   (unsigned)config->lease_life_ms);
	publisher_init(app->publisher, app->producer, &app->lease_keeper->watermark, (unsigned)config->kafka_max_waiting,
	               (uint64_t)config->kafka_max_waiting_bytes);
	events_init(app->events, &app->service.worker, app->producer, config->common.node_name);
	message_cache_init(app->message_cache, (size_t)config->cache_messages);
	entry_writer_init(app->entries, &app->service.worker, app->pg->sends, app->lease_keeper, app->publisher, &options);
	takeover_start(app->takeover, &app->service.worker, app->pg->control, app->lease_keeper, app->publisher,
	               config->common.node_name);
	retention_start(app->retention, &app->service.worker, app->pg->calls, config);
	admission_init(&admission, (unsigned)config->admission_store_target_ms, (unsigned)config->admission_delivery_target_ms,
	               (unsigned)config->admission_free_rate, random_u64());
	overload_start(app->overload, &app->service.worker, app->redis, app->entries, &admission);
}

static bool gate_is_shut(void *overload)
{
	return overload_refuses(overload);
}

static unsigned gate_retry_after_s(void *overload)
{
	return overload_retry_after_s(overload);
}

/* The contexts of the handlers of HTTP and gRPC, and the dispatcher that calls the former. */
static void init_calls(struct app *app)
{
	const struct inbox_limits inbox_limits = inbox_limits_of(&app->config.inbox);
	const struct call_shared shared = {
		.contexts = app,
		.authenticator = { .verified = app->verified_tokens,
		                   .changes = app->changes,
		                   .known_users = app->known_users },
		.rates = app->rates,
		.pg = app->pg->calls,
	};
	const struct dispatcher_gate gate = { gate_is_shut, gate_retry_after_s, app->overload };

	app->gateways = node_list_new(app->redis, &app->service.worker);
	accounts_init(app->accounts, &app->service.worker, &app->config, app->keys, app->changes);
	*app->contacts = (struct contacts){ .config = &app->config, .events = app->events };
	*app->conversations =
		(struct conversations){ .events = app->events, .pg = app->pg->calls, .config = &app->config };
	rest_walks_init(&app->conversations->rest_walks, app->pg->calls);
	*app->groups = (struct groups){ .config = &app->config, .entries = app->entries, .events = app->events };
	messages_init(app->messages, &app->config, app->pg->calls, app->entries, app->overload, app->rates);
	*app->presence = (struct presence_calls){ .redis = app->redis, .gateways = app->gateways };
	sync_init(app->sync, app->redis, &inbox_limits, app->pg->calls, app->message_cache);
	job_runner_start(app->jobs, &app->service.worker, &app->config, app->pg->calls, app->entries, app->overload);
	*app->admin = (struct admin){ .worker = &app->service.worker,
		                      .accounts = app->accounts,
		                      .changes = app->changes,
		                      .messages = app->messages,
		                      .gateways = app->gateways,
		                      .routers = app->routers };
	acked_ranges_init(app->acked_ranges, app->redis, app->events);
	*app->rpc_api = (struct rpc_api){
		.known_users = app->known_users,
		.changes = app->changes,
		.messages = app->messages,
		.sync = app->sync,
		.conversations = app->conversations,
		.events = app->events,
		.acked_ranges = app->acked_ranges,
		.max_body = (size_t)app->config.limits_body,
	};
	dispatcher_init(app->dispatcher, im_routes, im_route_count, &shared, &gate);
}

static void start_presence(struct app *app)
{
	const struct transition_context context = {
		.redis = app->redis,
		.pg = app->pg->calls,
		.gateways = app->gateways,
		.events = app->events,
		.last_seen_s = (uint64_t)app->config.presence_last_seen_ms / 1000,
	};

	presence_teller_start(app->presence_teller, &app->service.worker, &context,
	                      (uint64_t)app->config.presence_offline_delay_ms);
}

static err_t open_servers(struct app *app)
{
	const struct im_config *config = &app->config;
	const struct http_server_options http = {
		.listen = config->http_listen,
		.max_body = (size_t)config->limits_body,
		.max_connections = (unsigned)config->http_connections,
		.max_connections_per_address = (unsigned)config->http_connections_per_address,
		.max_pending = (unsigned)config->limits_requests,
		.connection_gauge = metrics_gauge("skein_im_http_connections", "Open HTTP connections.", NULL),
		.pending_gauge = metrics_gauge("skein_im_http_requests_waiting", "HTTP requests that are not answered.", NULL),
		.idle_timeout_s = (unsigned)(config->http_idle_timeout_ms / 1000),
		.routes = app->dispatcher->routes,
		.route_count = app->dispatcher->route_count,
		.arg = app->dispatcher,
		.finished = dispatcher_finished,
	};
	const struct rpc_server_options rpc = {
		.listen = config->grpc_listen,
		.methods = rpc_api_methods,
		.method_count = rpc_api_method_count,
		.arg = app->rpc_api,
		.max_message = 2 * (size_t)config->limits_body,
		.descriptor_set = str_of(proto_descriptor_set, proto_descriptor_set_len),
	};

	err_t err = http_server_new(&app->http, &app->service.worker, &http);
	if (!err)
		err = rpc_server_new(&app->rpc, &app->service.worker, &rpc);
	return err;
}

/* Waits until the database answers. Its schema must be the one that this binary knows. A fault of the keys is told before. */
static err_t prepare(void *arg)
{
	struct app *app = arg;

	err_t err = jwt_keys_new(&app->keys, str_from(app->config.auth_secret), app->config.auth_jwks);
	if (err)
		return err;
	while ((err = migrate_check(app->config.pg_uri)) == ERR_UNAVAILABLE)
		sleep(1);
	return err;
}

/* A change from the feed: a revoked token, or a user who is not any more what was remembered. */
static void on_change(void *arg, const struct change *change)
{
	struct app *app = arg;

	if (change->kind != CHANGE_REVOKED)
		known_users_forget(app->known_users, str_from(change->uid));
	if (change->kind == CHANGE_USER_DELETED || change->kind == CHANGE_UNKNOWN)
		message_cache_clear(app->message_cache);
	kicks_learn(app->kicks, change);
}

static err_t start(void *arg)
{
	struct app *app = arg;

	err_t err = open_clients(app);
	if (err)
		return err;
	jwt_keys_watch(app->keys, &app->service.worker);
	verified_tokens_init(app->verified_tokens, app->keys, (size_t)app->config.cache_tokens);
	known_users_init(app->known_users, app->pg->calls);
	rates_init(app->rates, &app->config, app->redis);
	kicks_init(app->kicks, &app->service.worker, app->routers);
	change_feed_start(app->changes, &app->service.worker, app->pg->control, on_change, app);
	audit_keeper_start(app->audit_keeper, &app->service.worker, app->pg->control, &app->config.audit_keep_ms);
	init_entries(app);
	init_calls(app);
	start_presence(app);
	err = open_servers(app);
	if (!err)
		log_info("im serves", LOG_TEXT("http", app->config.http_listen), LOG_TEXT("grpc", app->config.grpc_listen));
	return err;
}

static err_t run_migrations(void *arg)
{
	struct app *app = arg;

	return migrate(&app->config);
}

int main(int argc, char **argv)
{
	struct app *app = &im;
	const struct readiness_check checks[] = {
		{ .name = "postgres", .start = readiness_postgres, .arg = app },
		{ .name = "redis", .start = service_check_redis, .arg = &app->redis },
		{ .name = "kafka", .start = readiness_kafka, .arg = app },
		{ .name = "lease", .start = readiness_lease, .arg = app },
		{ .name = "revocations", .start = readiness_changes, .arg = app },
	};
	const struct service_definition definition = {
		.config_table = &im_config_table,
		.config = &app->config,
		.common = &app->config.common,
		.app = app,
		.checks = checks,
		.check_count = ARRAY_LEN(checks),
		.migrate = run_migrations,
		.prepare = prepare,
		.start = start,
		.drain = drain,
	};

	return service_main(&app->service, &definition, argc, argv);
}
