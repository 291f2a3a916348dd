/* Events through push: a real Redis and Kafka, and a gateway that the test plays. */
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
#include "base/telemetry/metrics.h"
#include "cluster/node_list.h"
#include "cluster/node_registry.h"
#include "cluster/routes.h"
#include "deliver/gateways.h"
#include "message/topics.h"
#include "proto/record.pb-c.h"
#include "push/events/event_intake.h"
#include "rpc/client/rpc_client.h"
#include "rpc/server/rpc_server.h"
#include "servers.h"
#include "store/kafka/kafka.h"
#include "store/redis/redis.h"
#include "store_fixture.h"

#define KEPT_MAX 4000
#define CONNS_MAX 8

static struct real_server redis_server = { .kind = REAL_REDIS }, kafka_server = { .kind = REAL_KAFKA };

/* A delivery as the gateway got it. */
struct seen {
	uint64_t id;
	bool is_event;
	char kind[16], body[32];
	uint64_t conns[CONNS_MAX], offset; /* of a message: its only number */
	size_t conn_count, number_count;
};

static struct {
	struct worker worker;
	struct redis *redis;
	struct rpc_client *client;
	struct node_list *nodes;
	struct gateways *gateways;
	struct kafka_producer *producer;
	struct event_intake *events;
	struct node node;
	bool is_registered, is_busy;
	char alice[24], bob[24], carol[24]; /* each test's own */
	/* the gateway that is played */
	struct rpc_server *server;
	char address[32];
	struct rpc_stream *stream;
	bool is_silent;
	struct seen seen[KEPT_MAX];
	unsigned seen_count, event_count, message_count, answered;
	unsigned produced, done; /* messages given to the gateway that have ended */
} scene;

/* ---- the gateway ---- */

static void answer_all(void)
{
	Skein__V1__DeliverAnswers answers = SKEIN__V1__DELIVER_ANSWERS__INIT;
	static uint64_t ids[KEPT_MAX];
	static uint8_t packed[16 * KEPT_MAX];

	answers.done = ids;
	while (scene.answered < scene.seen_count)
		ids[answers.n_done++] = scene.seen[scene.answered++].id;
	size_t len = skein__v1__deliver_answers__pack(&answers, packed);
	assert_int_equal(rpc_stream_send(scene.stream, str_of(packed, len)), OK);
}

static void see(const Skein__V1__Delivery *delivery)
{
	struct seen *seen = &scene.seen[scene.seen_count++];
	const Skein__V1__Connections *others = delivery->audience->targets->others;

	assert_true(scene.seen_count < KEPT_MAX);
	assert_int_equal(delivery->audience->who_case, SKEIN__V1__AUDIENCE__WHO_TARGETS);
	assert_int_equal(delivery->node_epoch, scene.node.epoch);
	assert_true(others->n_conns <= CONNS_MAX);
	*seen = (struct seen){ .id = delivery->id, .conn_count = others->n_conns };
	memcpy(seen->conns, others->conns, others->n_conns * sizeof(seen->conns[0]));
	seen->number_count = others->n_offsets + others->n_epochs;
	seen->offset = others->n_offsets ? others->offsets[0] : 0;
	seen->is_event = delivery->content_case == SKEIN__V1__DELIVERY__CONTENT_EVENT;
	if (!seen->is_event) {
		scene.message_count++;
		return;
	}
	(void)str_copy(seen->kind, sizeof(seen->kind), str_from(delivery->event->kind));
	(void)str_copy(seen->body, sizeof(seen->body), str_from(delivery->event->body));
	scene.event_count++;
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
	if (!scene.is_silent)
		answer_all();
}

static void on_stream(struct rpc_stream *stream, void *arg)
{
	(void)arg;
	scene.stream = stream;
}

static const struct rpc_stream_handlers played = { .opened = on_stream, .message = on_batch };
static const struct rpc_method methods[] = { { .path = "/skein.v1.Gateway/Deliver", .stream = &played } };

static bool is_quiet(void *arg)
{
	(void)arg;
	return gateways_in_flight(scene.gateways) == 0;
}

/* ---- what comes ---- */

static void on_produced(void *arg, err_t err)
{
	(void)arg;
	assert_int_equal(err, OK);
}

static void produce_bytes(struct str value)
{
	assert_int_equal(kafka_produce(scene.producer, TOPIC_EVENT, STR("key"), value, NULL, 0, on_produced, NULL), OK);
}

/* A record that has the event `times` times: once or twice. */
static void produce_times(size_t times, const char *kind, const char *body, const char *first, const char *second)
{
	Skein__V1__EventRecord record = SKEIN__V1__EVENT_RECORD__INIT;
	Skein__V1__EmittedEvent emitted = SKEIN__V1__EMITTED_EVENT__INIT, *events[] = { &emitted, &emitted };
	Skein__V1__Audience audience = SKEIN__V1__AUDIENCE__INIT;
	Skein__V1__Users users = SKEIN__V1__USERS__INIT;
	Skein__V1__Event event = SKEIN__V1__EVENT__INIT;
	char *uids[] = { (char *)first, (char *)second };
	uint8_t packed[512];

	event.kind = (char *)kind;
	event.body = (char *)body;
	users.uids = uids;
	users.n_uids = second ? 2 : 1;
	audience.who_case = SKEIN__V1__AUDIENCE__WHO_USERS;
	audience.users = &users;
	emitted.audience = &audience;
	emitted.event = &event;
	record.version = 1;
	record.events = events;
	record.n_events = times;
	assert_true(skein__v1__event_record__get_packed_size(&record) <= sizeof(packed));
	produce_bytes(str_of(packed, skein__v1__event_record__pack(&record, packed)));
}

static void produce(const char *kind, const char *body, const char *first, const char *second)
{
	produce_times(1, kind, body, first, second);
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
		.route = { .node = str_from(scene.node.name),
		           .node_epoch = scene.node.epoch,
		           .conn = conn,
		           .platform = STR("web") },
	};
	bool is_bound = false;

	route_bind(scene.redis, &limits, 3600, &binding, on_bound, &is_bound);
	turn_until_true(&scene.worker, &is_bound);
}

static void on_message_gone(struct delivery *delivery, uint64_t conn)
{
	(void)delivery;
	(void)conn;
}

static void on_message_done(struct delivery *delivery)
{
	scene.done++;
	mem_free(delivery);
}

/* A message to the gateway, as push delivers it, whose number is `offset`; whether the number was only noted. */
static bool deliver_message(uint64_t offset)
{
	Skein__V1__Delivery content;
	Skein__V1__Audience audience = SKEIN__V1__AUDIENCE__INIT;
	Skein__V1__Targets targets = SKEIN__V1__TARGETS__INIT;
	Skein__V1__Connections others = SKEIN__V1__CONNECTIONS__INIT;
	struct gateway *gateway = gateways_get(scene.gateways, str_from(scene.node.name), scene.node.epoch);
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
	scene.produced++;
	gateway_deliver(gateway, delivery, &content);
	bool is_noted = delivery->is_noted;
	gateway_unref(gateway);
	return is_noted;
}

/* ---- dropped events ---- */

static struct counter *dropped(const char *reason)
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

static void turn_until_dropped(const char *reason, uint64_t value)
{
	struct awaited awaited = { dropped(reason), value };

	turn_until(&scene.worker, has_value, &awaited);
	assert_int_equal(counter_value(awaited.counter), value);
}

/* An event for alice arrives, after whatever was before it. */
static void assert_an_event_arrives(void)
{
	unsigned events = scene.event_count;

	produce("probe", "{}", scene.alice, NULL);
	turn_until_count(&scene.worker, &scene.event_count, events + 1);
	assert_string_equal(scene.seen[scene.seen_count - 1].kind, "probe");
}

/* ---- the scene ---- */

static bool is_scene_busy(void *arg)
{
	(void)arg;
	return scene.is_busy;
}

static void on_registered(void *arg, err_t err, uint64_t epoch)
{
	(void)arg;
	assert_int_equal(err, OK);
	scene.node.epoch = epoch;
	scene.is_registered = true;
}

static bool is_up(void *arg)
{
	(void)arg;
	return redis_is_connected(scene.redis);
}

static bool has_joined(void *arg)
{
	(void)arg;
	return event_intake_has_joined(scene.events);
}

static void open_stores(void)
{
	const struct kafka_topic topic = { .name = TOPIC_EVENT, .partitions = 1, .replication = 1 };
	const struct redis_options redis_options = { .uri = redis_server.uri, .max_waiting = 10000, .timeout_ms = 1500 };
	const struct kafka_producer_options producer_options = {
		.brokers = kafka_server.uri,
		.client_id = "test",
		.max_waiting = 10000,
		.max_waiting_bytes = 64u << 20,
	};
	const struct rpc_server_options server_options = {
		.listen = scene.address,
		.methods = methods,
		.method_count = ARRAY_LEN(methods),
	};

	snprintf(scene.address, sizeof(scene.address), "127.0.0.1:%u", real_server_free_port());
	assert_int_equal(kafka_ensure_topics(kafka_server.uri, &topic, 1, 20000), OK);
	assert_int_equal(worker_init(&scene.worker, "test"), OK);
	assert_int_equal(redis_new(&scene.redis, &scene.worker, &redis_options), OK);
	assert_int_equal(rpc_client_new(&scene.client), OK);
	assert_int_equal(rpc_server_new(&scene.server, &scene.worker, &server_options), OK);
	assert_int_equal(kafka_producer_new(&scene.producer, &scene.worker, &producer_options), OK);
	turn_until(&scene.worker, is_up, NULL);
}

static int open_all(void **state)
{
	(void)state;
	real_server_make(&redis_server);
	real_server_make(&kafka_server);
	open_stores();
	scene.node = (struct node){ .name = "gateway-1", .ws_url = "ws://127.0.0.1:1/ws", .cell = "a" };
	(void)str_copy(scene.node.grpc_address, sizeof(scene.node.grpc_address), str_from(scene.address));
	node_register(scene.redis, &scene.node, on_registered, NULL);
	turn_until_true(&scene.worker, &scene.is_registered);
	scene.nodes = node_list_new(scene.redis, &scene.worker);
	scene.gateways = gateways_new(&scene.worker, scene.client, scene.nodes, 10 * STORE_PATIENCE_MS);
	const struct event_intake_options options = {
		.consumer = {
			.brokers = kafka_server.uri,
			.client_id = "test",
			.group = "test-events",
			.topic = TOPIC_EVENT,
			.commit_interval_ms = 500,
		},
		.redis = scene.redis,
		.gateways = scene.gateways,
		.is_busy = is_scene_busy,
	};
	assert_int_equal(event_intake_new(&scene.events, &scene.worker, &options), OK);
	turn_until(&scene.worker, has_joined, NULL);
	return 0;
}

static int close_all(void **state)
{
	bool is_closed[5] = { false };

	(void)state;
	event_intake_close(scene.events, note_closed, &is_closed[0]);
	turn_until_true(&scene.worker, &is_closed[0]);
	gateways_free(scene.gateways);
	node_list_free(scene.nodes);
	rpc_client_close(scene.client, &scene.worker, note_closed, &is_closed[1]);
	turn_until_true(&scene.worker, &is_closed[1]);
	rpc_server_close(scene.server, 0, note_closed, &is_closed[2]);
	turn_until_true(&scene.worker, &is_closed[2]);
	kafka_producer_close(scene.producer, 1000, note_closed, &is_closed[3]);
	turn_until_true(&scene.worker, &is_closed[3]);
	redis_close(scene.redis, note_closed, &is_closed[4]);
	turn_until_true(&scene.worker, &is_closed[4]);
	event_intake_free(scene.events);
	end_worker(&scene.worker);
	real_server_remove(&redis_server);
	real_server_remove(&kafka_server);
	return 0;
}

/* Each test has users of its own. alice has two connections, 1 and 2, bob has 3 and carol has 4. */
static int begin(void **state)
{
	char name[9];

	(void)state;
	random_hex(name, 8);
	snprintf(scene.alice, sizeof(scene.alice), "alice-%s", name);
	snprintf(scene.bob, sizeof(scene.bob), "bob-%s", name);
	snprintf(scene.carol, sizeof(scene.carol), "carol-%s", name);
	bind_conn(scene.alice, "phone", 1);
	bind_conn(scene.alice, "laptop", 2);
	bind_conn(scene.bob, "phone", 3);
	bind_conn(scene.carol, "phone", 4);
	scene.seen_count = scene.event_count = scene.message_count = scene.answered = scene.produced = scene.done = 0;
	return 0;
}

static int end(void **state)
{
	(void)state;
	scene.is_silent = scene.is_busy = false;
	if (scene.stream && scene.answered < scene.seen_count)
		answer_all();
	turn_until(&scene.worker, is_quiet, NULL);
	return 0;
}

/* ---- the tests ---- */

static void an_event_reaches_every_connection_of_its_users_and_no_other_without_a_number(void **state)
{
	const struct seen *seen = &scene.seen[0];
	bool has[5] = { false };
	(void)state;

	produce("read", "{\"seq\":7}", scene.alice, scene.bob);
	turn_until_count(&scene.worker, &scene.event_count, 1);
	assert_int_equal(scene.seen_count, 1);
	assert_string_equal(seen->kind, "read");
	assert_string_equal(seen->body, "{\"seq\":7}");
	assert_int_equal(seen->number_count, 0);
	assert_int_equal(seen->conn_count, 3);
	for (size_t i = 0; i < seen->conn_count; i++)
		has[seen->conns[i]] = true;
	assert_true(has[1] && has[2] && has[3]);
}

static void every_event_of_a_record_arrives(void **state)
{
	(void)state;

	produce_times(2, "read", "{\"seq\":7}", scene.alice, scene.bob);
	turn_until_count(&scene.worker, &scene.event_count, 2);
	assert_int_equal(scene.seen_count, 2);
	assert_int_equal(scene.seen[0].conn_count, 3);
	assert_int_equal(scene.seen[1].conn_count, 3);
}

static void an_event_for_users_who_are_not_connected_goes_nowhere(void **state)
{
	(void)state;

	produce("typing", "{}", "nobody-1", "nobody-2");
	assert_an_event_arrives();
	assert_int_equal(scene.event_count, 1);
}

static void a_record_that_is_no_event_is_counted_and_the_next_one_arrives(void **state)
{
	uint64_t before = counter_value(dropped("unusable"));
	(void)state;

	produce_bytes(STR("\xff\xff\xff"));
	produce("typing", "{}", "not a uid", NULL);
	assert_an_event_arrives();
	assert_int_equal(counter_value(dropped("unusable")), before + 2);
	assert_int_equal(scene.event_count, 1);
}

static void while_push_has_all_the_messages_it_can_take_events_are_dropped(void **state)
{
	uint64_t before = counter_value(dropped("push_busy"));
	(void)state;

	scene.is_busy = true;
	produce("typing", "{}", scene.alice, NULL);
	turn_until_dropped("push_busy", before + 1);
	scene.is_busy = false;
	assert_an_event_arrives();
	assert_int_equal(scene.event_count, 1);
}

static bool are_all_messages_seen(void *arg)
{
	(void)arg;
	return scene.message_count == GATEWAY_MAX_IN_FLIGHT;
}

static void a_gateway_that_is_behind_gets_no_event_and_its_numbers_all_the_same(void **state)
{
	uint64_t before = counter_value(dropped("gateway_behind"));
	(void)state;

	scene.is_silent = true;
	for (unsigned i = 0; i < GATEWAY_MAX_IN_FLIGHT; i++)
		assert_false(deliver_message(i + 1));
	turn_until(&scene.worker, are_all_messages_seen, NULL);
	assert_true(deliver_message(GATEWAY_MAX_IN_FLIGHT + 1));
	produce("typing", "{}", scene.alice, NULL);
	turn_until_dropped("gateway_behind", before + 1);
	scene.is_silent = false;
	answer_all();
	turn_until_count(&scene.worker, &scene.done, scene.produced);
	assert_int_equal(scene.event_count, 0);
	assert_int_equal(scene.seen[scene.seen_count - 1].offset, GATEWAY_MAX_IN_FLIGHT + 1);
	assert_an_event_arrives();
}

static void events_wait_for_a_gateway_in_a_window_of_their_own_and_leave_the_messages_theirs(void **state)
{
	uint64_t before = counter_value(dropped("gateway_full"));
	(void)state;

	scene.is_silent = true;
	for (unsigned i = 0; i < GATEWAY_MAX_EVENTS + 10; i++)
		produce("typing", "{}", scene.bob, NULL);
	turn_until_dropped("gateway_full", before + 10);
	turn_until_count(&scene.worker, &scene.event_count, GATEWAY_MAX_EVENTS);
	for (unsigned i = 0; i < GATEWAY_MAX_IN_FLIGHT; i++)
		assert_false(deliver_message(i + 1));
	turn_until(&scene.worker, are_all_messages_seen, NULL);
	scene.is_silent = false;
	answer_all();
	turn_until(&scene.worker, is_quiet, NULL);
	assert_an_event_arrives();
}

static void messages_between_events_keep_their_order(void **state)
{
	uint64_t offset = 0;
	(void)state;

	for (unsigned i = 0; i < 300; i++) {
		produce("typing", "{}", scene.alice, NULL);
		deliver_message(i + 1);
		if (i % 10 == 0)
			turn_for(&scene.worker, 2);
	}
	turn_until_count(&scene.worker, &scene.event_count, 300);
	turn_until_count(&scene.worker, &scene.done, 300);
	for (unsigned i = 0; i < scene.seen_count; i++)
		if (!scene.seen[i].is_event)
			assert_int_equal(scene.seen[i].offset, ++offset);
	assert_int_equal(offset, 300);
}

static void an_event_whose_routes_redis_does_not_tell_is_dropped_and_the_next_one_arrives(void **state)
{
	uint64_t before = counter_value(dropped("routes_unknown"));
	(void)state;

	real_server_pause(&redis_server);
	produce("typing", "{}", scene.alice, scene.bob);
	turn_until_dropped("routes_unknown", before + 2);
	real_server_continue(&redis_server);
	assert_an_event_arrives();
}

#define EVENT_TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		EVENT_TEST(an_event_reaches_every_connection_of_its_users_and_no_other_without_a_number),
		EVENT_TEST(every_event_of_a_record_arrives),
		EVENT_TEST(an_event_for_users_who_are_not_connected_goes_nowhere),
		EVENT_TEST(a_record_that_is_no_event_is_counted_and_the_next_one_arrives),
		EVENT_TEST(while_push_has_all_the_messages_it_can_take_events_are_dropped),
		EVENT_TEST(a_gateway_that_is_behind_gets_no_event_and_its_numbers_all_the_same),
		EVENT_TEST(events_wait_for_a_gateway_in_a_window_of_their_own_and_leave_the_messages_theirs),
		EVENT_TEST(messages_between_events_keep_their_order),
		EVENT_TEST(an_event_whose_routes_redis_does_not_tell_is_dropped_and_the_next_one_arrives),
	};
	return cmocka_run_group_tests(tests, open_all, close_all);
}
