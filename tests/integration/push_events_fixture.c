#include "push_events_fixture.h"

/* cmocka must come after these headers; see its manual. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/macros.h"
#include "base/mem.h"
#include "base/random.h"
#include "cluster/node_list.h"
#include "cluster/node_registry.h"
#include "cluster/routes.h"
#include "deliver/gateways.h"
#include "message/topics.h"
#include "proto/record.pb-c.h"
#include "push/events/event_intake.h"
#include "rpc/client/rpc_client.h"
#include "rpc/server/rpc_server.h"
#include "store/kafka/kafka.h"
#include "store/redis/redis.h"
#include "store_fixture.h"

struct event_scene event_scene;
struct real_server event_redis = { .kind = REAL_REDIS };
static struct real_server kafka_server = { .kind = REAL_KAFKA };

/* ---- the gateway ---- */

void played_gateway_answer_all(void)
{
	Skein__V1__DeliverAnswers answers = SKEIN__V1__DELIVER_ANSWERS__INIT;
	static uint64_t ids[KEPT_MAX];
	static uint8_t packed[16 * KEPT_MAX];

	answers.done = ids;
	while (event_scene.answered < event_scene.seen_count)
		ids[answers.n_done++] = event_scene.seen[event_scene.answered++].id;
	size_t len = skein__v1__deliver_answers__pack(&answers, packed);
	assert_int_equal(rpc_stream_send(event_scene.stream, str_of(packed, len)), OK);
}

static void see_targets(struct seen *seen, const Skein__V1__Connections *others)
{
	assert_true(others->n_conns <= CONNS_MAX);
	seen->conn_count = others->n_conns;
	memcpy(seen->conns, others->conns, others->n_conns * sizeof(seen->conns[0]));
	seen->number_count = others->n_offsets + others->n_epochs;
	seen->offset = others->n_offsets ? others->offsets[0] : 0;
}

static void see(const Skein__V1__Delivery *delivery)
{
	struct seen *seen = &event_scene.seen[event_scene.seen_count++];
	const Skein__V1__Audience *audience = delivery->audience;
	bool is_for_watchers = audience->who_case == SKEIN__V1__AUDIENCE__WHO_WATCHED;

	assert_true(event_scene.seen_count < KEPT_MAX);
	assert_int_equal(delivery->node_epoch, event_scene.node.epoch);
	*seen = (struct seen){ .id = delivery->id };
	if (is_for_watchers) {
		(void)str_copy(seen->watched, sizeof(seen->watched), str_from(audience->watched));
	} else {
		assert_int_equal(audience->who_case, SKEIN__V1__AUDIENCE__WHO_TARGETS);
		see_targets(seen, audience->targets->others);
	}
	seen->is_event = delivery->content_case == SKEIN__V1__DELIVERY__CONTENT_EVENT;
	if (!seen->is_event) {
		event_scene.message_count++;
		return;
	}
	(void)str_copy(seen->kind, sizeof(seen->kind), str_from(delivery->event->kind));
	(void)str_copy(seen->body, sizeof(seen->body), str_from(delivery->event->body));
	event_scene.event_count++;
}

static void on_batch(struct rpc_stream *stream, struct str message, void *arg)
{
	Skein__V1__DeliverBatch *batch = skein__v1__deliver_batch__unpack(NULL, message.len, (const uint8_t *)message.ptr);

	(void)stream;
	(void)arg;
	assert_non_null(batch);
	for (size_t i = 0; i < batch->n_deliveries; i++)
		see(batch->deliveries[i]);
	skein__v1__deliver_batch__free_unpacked(batch, NULL);
	if (!event_scene.is_silent)
		played_gateway_answer_all();
}

static void on_stream(struct rpc_stream *stream, void *arg)
{
	(void)arg;
	event_scene.stream = stream;
}

static const struct rpc_stream_handlers played = { .opened = on_stream, .message = on_batch };
static const struct rpc_method methods[] = { { .path = "/skein.v1.Gateway/Deliver", .stream = &played } };

bool events_are_quiet(void *arg)
{
	(void)arg;
	return gateways_in_flight(event_scene.gateways) == 0;
}

/* ---- what comes ---- */

static void on_produced(void *arg, err_t err)
{
	(void)arg;
	assert_int_equal(err, OK);
}

void produce_event_bytes(struct str value)
{
	assert_int_equal(kafka_produce(event_scene.producer, TOPIC_EVENT, STR("key"), value, NULL, 0, on_produced, NULL), OK);
}

/* A record that has the event `times` times: once or twice. */
static void produce_record(size_t times, const char *kind, const char *body, Skein__V1__Audience *audience,
                           Skein__V1__RoutedConnection *except)
{
	Skein__V1__EventRecord record = SKEIN__V1__EVENT_RECORD__INIT;
	Skein__V1__EmittedEvent emitted = SKEIN__V1__EMITTED_EVENT__INIT, *events[] = { &emitted, &emitted };
	Skein__V1__Event event = SKEIN__V1__EVENT__INIT;
	uint8_t packed[512];

	event.kind = (char *)kind;
	event.body = (char *)body;
	emitted.audience = audience;
	emitted.event = &event;
	emitted.except = except;
	record.version = 1;
	record.events = events;
	record.n_events = times;
	assert_true(skein__v1__event_record__get_packed_size(&record) <= sizeof(packed));
	produce_event_bytes(str_of(packed, skein__v1__event_record__pack(&record, packed)));
}

void produce_watched_event(const char *kind, const char *body, const char *watched)
{
	Skein__V1__Audience audience = SKEIN__V1__AUDIENCE__INIT;

	audience.who_case = SKEIN__V1__AUDIENCE__WHO_WATCHED;
	audience.watched = (char *)watched;
	produce_record(1, kind, body, &audience, NULL);
}

void produce_event_except(const char *kind, const char *body, const char *uid, uint64_t conn)
{
	Skein__V1__Audience audience = SKEIN__V1__AUDIENCE__INIT;
	Skein__V1__Users users = SKEIN__V1__USERS__INIT;
	Skein__V1__RoutedConnection except = SKEIN__V1__ROUTED_CONNECTION__INIT;
	char *uids[] = { (char *)uid };

	users.uids = uids;
	users.n_uids = 1;
	audience.who_case = SKEIN__V1__AUDIENCE__WHO_USERS;
	audience.users = &users;
	except.node_epoch = event_scene.node.epoch;
	except.conn = conn;
	produce_record(1, kind, body, &audience, &except);
}

void produce_event_times(size_t times, const char *kind, const char *body, const char *first, const char *second)
{
	Skein__V1__Audience audience = SKEIN__V1__AUDIENCE__INIT;
	Skein__V1__Users users = SKEIN__V1__USERS__INIT;
	char *uids[] = { (char *)first, (char *)second };

	users.uids = uids;
	users.n_uids = second ? 2 : 1;
	audience.who_case = SKEIN__V1__AUDIENCE__WHO_USERS;
	audience.users = &users;
	produce_record(times, kind, body, &audience, NULL);
}

void produce_event(const char *kind, const char *body, const char *first, const char *second)
{
	produce_event_times(1, kind, body, first, second);
}

static void on_bound(void *arg, err_t err, const struct route_bound *bound)
{
	(void)bound;
	assert_int_equal(err, OK);
	*(bool *)arg = true;
}

static void bind_conn(const char *uid, const char *device, uint64_t conn)
{
	const struct inbox_limits limits = { .max_entries = 100, .max_age_s = 3600, .expire_s = 3600 };
	const struct route_binding binding = {
		.uid = str_from(uid),
		.device = str_from(device),
		.route = { .node = str_from(event_scene.node.name),
		           .node_epoch = event_scene.node.epoch,
		           .conn = conn,
		           .platform = STR("web") },
	};
	bool is_bound = false;

	route_bind(event_scene.redis, &limits, 3600, &binding, on_bound, &is_bound);
	turn_until_true(&event_scene.worker, &is_bound);
}

static void on_message_gone(struct delivery *delivery, uint64_t conn)
{
	(void)delivery;
	(void)conn;
}

static void on_message_done(struct delivery *delivery)
{
	event_scene.done++;
	mem_free(delivery);
}

/* A message to the gateway, as push delivers it, whose number is `offset`; whether the number was only noted. */
bool deliver_message_to_played_gateway(uint64_t offset)
{
	Skein__V1__Delivery content;
	Skein__V1__Audience audience = SKEIN__V1__AUDIENCE__INIT;
	Skein__V1__Targets targets = SKEIN__V1__TARGETS__INIT;
	Skein__V1__Connections others = SKEIN__V1__CONNECTIONS__INIT;
	struct gateway *gateway = gateways_get(event_scene.gateways, str_from(event_scene.node.name), event_scene.node.epoch);
	struct delivery *delivery = MEM_NEW(struct delivery);
	uint64_t conn = 1, epoch = 1;

	others.conns = &conn;
	others.offsets = &offset;
	others.epochs = &epoch;
	others.n_conns = others.n_offsets = others.n_epochs = 1;
	targets.others = &others;
	audience.who_case = SKEIN__V1__AUDIENCE__WHO_TARGETS;
	audience.targets = &targets;
	skein__v1__delivery__init(&content);
	content.audience = &audience;
	content.content_case = SKEIN__V1__DELIVERY__CONTENT_MESSAGE;
	content.message = (ProtobufCBinaryData){ .data = (uint8_t *)"hi", .len = 2 };
	delivery->gone = on_message_gone;
	delivery->done = on_message_done;
	event_scene.produced++;
	gateway_deliver(gateway, delivery, &content);
	bool is_noted = delivery->is_noted;
	gateway_unref(gateway);
	return is_noted;
}

/* ---- dropped events ---- */

struct counter *dropped_events(const char *reason)
{
	char labels[64];

	snprintf(labels, sizeof(labels), "reason=\"%s\"", reason);
	return metrics_counter("skein_push_events_dropped_total", "", labels);
}

struct awaited {
	struct counter *counter;
	uint64_t value;
};

static bool has_value(void *arg)
{
	const struct awaited *awaited = arg;

	return counter_value(awaited->counter) >= awaited->value;
}

void turn_until_events_dropped(const char *reason, uint64_t value)
{
	struct awaited awaited = { dropped_events(reason), value };

	turn_until(&event_scene.worker, has_value, &awaited);
	assert_int_equal(counter_value(awaited.counter), value);
}

/* An event for alice arrives, after whatever was before it. */
void assert_an_event_arrives(void)
{
	unsigned events = event_scene.event_count;

	produce_event("probe", "{}", event_scene.alice, NULL);
	turn_until_count(&event_scene.worker, &event_scene.event_count, events + 1);
	assert_string_equal(event_scene.seen[event_scene.seen_count - 1].kind, "probe");
}

/* ---- the scene ---- */

static bool is_scene_busy(void *arg)
{
	(void)arg;
	return event_scene.is_busy;
}

static void on_registered(void *arg, err_t err, uint64_t epoch)
{
	(void)arg;
	assert_int_equal(err, OK);
	event_scene.node.epoch = epoch;
	event_scene.is_registered = true;
}

static bool is_up(void *arg)
{
	(void)arg;
	return redis_is_connected(event_scene.redis);
}

static bool has_joined(void *arg)
{
	(void)arg;
	return event_intake_has_joined(event_scene.events);
}

static void open_stores(void)
{
	const struct kafka_topic topic = { .name = TOPIC_EVENT, .partitions = 1, .replication = 1 };
	const struct redis_options redis_options = { .uri = event_redis.uri, .max_waiting = 10000, .timeout_ms = 1500 };
	const struct kafka_producer_options producer_options = {
		.brokers = kafka_server.uri,
		.client_id = "test",
		.max_waiting = 10000,
		.max_waiting_bytes = 64u << 20,
	};
	const struct rpc_server_options server_options = {
		.listen = event_scene.address,
		.methods = methods,
		.method_count = ARRAY_LEN(methods),
	};

	snprintf(event_scene.address, sizeof(event_scene.address), "127.0.0.1:%u", real_server_free_port());
	assert_int_equal(kafka_ensure_topics(kafka_server.uri, &topic, 1, 20000), OK);
	assert_int_equal(worker_init(&event_scene.worker, "test"), OK);
	assert_int_equal(redis_new(&event_scene.redis, &event_scene.worker, &redis_options), OK);
	assert_int_equal(rpc_client_new(&event_scene.client), OK);
	assert_int_equal(rpc_server_new(&event_scene.server, &event_scene.worker, &server_options), OK);
	assert_int_equal(kafka_producer_new(&event_scene.producer, &event_scene.worker, &producer_options), OK);
	turn_until(&event_scene.worker, is_up, NULL);
}

int open_event_scene(void **state)
{
	(void)state;
	real_server_make(&event_redis);
	real_server_make(&kafka_server);
	open_stores();
	event_scene.node = (struct node){ .name = "gateway-1", .ws_url = "ws://127.0.0.1:1/ws", .cell = "a" };
	(void)str_copy(event_scene.node.grpc_address, sizeof(event_scene.node.grpc_address), str_from(event_scene.address));
	node_register(event_scene.redis, &event_scene.node, on_registered, NULL);
	turn_until_true(&event_scene.worker, &event_scene.is_registered);
	event_scene.nodes = node_list_new(event_scene.redis, &event_scene.worker);
	event_scene.gateways = gateways_new(&event_scene.worker, event_scene.client, event_scene.nodes, 10 * STORE_PATIENCE_MS);
	const struct event_intake_options options = {
		.consumer = {
			.brokers = kafka_server.uri,
			.client_id = "test",
			.group = "test-events",
			.topic = TOPIC_EVENT,
			.commit_interval_ms = 500,
		},
		.redis = event_scene.redis,
		.gateways = event_scene.gateways,
		.is_busy = is_scene_busy,
	};
	assert_int_equal(event_intake_new(&event_scene.events, &event_scene.worker, &options), OK);
	turn_until(&event_scene.worker, has_joined, NULL);
	return 0;
}

int close_event_scene(void **state)
{
	bool is_closed[5] = { false };

	(void)state;
	event_intake_close(event_scene.events, note_closed, &is_closed[0]);
	turn_until_true(&event_scene.worker, &is_closed[0]);
	gateways_free(event_scene.gateways);
	node_list_free(event_scene.nodes);
	rpc_client_close(event_scene.client, &event_scene.worker, note_closed, &is_closed[1]);
	turn_until_true(&event_scene.worker, &is_closed[1]);
	rpc_server_close(event_scene.server, 0, note_closed, &is_closed[2]);
	turn_until_true(&event_scene.worker, &is_closed[2]);
	kafka_producer_close(event_scene.producer, 1000, note_closed, &is_closed[3]);
	turn_until_true(&event_scene.worker, &is_closed[3]);
	redis_close(event_scene.redis, note_closed, &is_closed[4]);
	turn_until_true(&event_scene.worker, &is_closed[4]);
	event_intake_free(event_scene.events);
	end_worker(&event_scene.worker);
	real_server_remove(&event_redis);
	real_server_remove(&kafka_server);
	return 0;
}

/* Each test has users of its own. alice has two connections, 1 and 2, bob has 3 and carol has 4. */
int begin_event_test(void **state)
{
	char name[9];

	(void)state;
	random_hex(name, 8);
	snprintf(event_scene.alice, sizeof(event_scene.alice), "alice-%s", name);
	snprintf(event_scene.bob, sizeof(event_scene.bob), "bob-%s", name);
	snprintf(event_scene.carol, sizeof(event_scene.carol), "carol-%s", name);
	bind_conn(event_scene.alice, "phone", 1);
	bind_conn(event_scene.alice, "laptop", 2);
	bind_conn(event_scene.bob, "phone", 3);
	bind_conn(event_scene.carol, "phone", 4);
	event_scene.seen_count = event_scene.event_count = event_scene.message_count = event_scene.answered =
		event_scene.produced = event_scene.done = 0;
	return 0;
}

int end_event_test(void **state)
{
	(void)state;
	event_scene.is_silent = event_scene.is_busy = false;
	if (event_scene.stream && event_scene.answered < event_scene.seen_count)
		played_gateway_answer_all();
	turn_until(&event_scene.worker, events_are_quiet, NULL);
	return 0;
}
