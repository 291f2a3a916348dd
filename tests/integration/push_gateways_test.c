/* Gateways that hang, die or answer nonsense, as push sees them: played by the test, listed in a real Redis. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/macros.h"
#include "base/mem.h"
#include "base/telemetry/metrics.h"
#include "base/text/buf.h"
#include "cluster/node_registry.h"
#include "deliver/gateways.h"
#include "rpc/client/rpc_client.h"
#include "rpc/server/rpc_server.h"
#include "servers.h"
#include "cluster/node_list.h"
#include "store/redis/redis.h"
#include "store_fixture.h"

#define GIVE_UP_MS 1000
#define CONNS 8
#define DELIVERIES (GATEWAY_MAX_IN_FLIGHT + 100)

static struct real_server redis_server = { .kind = REAL_REDIS };

enum behaviour { ANSWERS, IS_SILENT, TALKS_NONSENSE, CLOSES_AT_ONCE };

struct part {
	struct delivery delivery;
	struct scene *scene;
	unsigned done;
};

struct scene {
	struct worker worker;
	struct redis *redis;
	struct rpc_client *client;
	struct node_list *nodes;
	struct gateways *gateways;
	struct node node;
	bool is_registered;
	struct part parts[DELIVERIES];
	unsigned part_count, done;
	/* the gateway that is played */
	struct rpc_server *server;
	char address[32];
	enum behaviour behaviour;
	struct rpc_stream *stream; /* the one that is up */
	uint64_t unanswered[DELIVERIES];
	unsigned unanswered_count;
	unsigned streams, messages;
	uint64_t told[CONNS]; /* the highest offset that came without its message */
};

/* ---- the gateway ---- */

static void answer(struct rpc_stream *stream, uint64_t *ids, size_t count)
{
	Skein__V1__DeliverAnswers answers = SKEIN__V1__DELIVER_ANSWERS__INIT;
	uint8_t packed[16 * DELIVERIES];

	answers.done = ids;
	answers.n_done = count;
	assert_true(skein__v1__deliver_answers__get_packed_size(&answers) <= sizeof(packed));
	size_t len = skein__v1__deliver_answers__pack(&answers, packed);
	(void)!rpc_stream_send(stream, str_of((const char *)packed, len)); /* it may be down */
}

static void talk_nonsense(struct rpc_stream *stream, uint64_t id)
{
	uint64_t wrong[] = { 0, UINT64_MAX, id + (1u << 24), id ^ (1u << 20), id + (1u << 24) };
	size_t size = RPC_MESSAGE_MAX / 2;
	char *garbage = mem_alloc(size);

	memset(garbage, 0xff, size);
	(void)!rpc_stream_send(stream, str_of(garbage, size));
	mem_free(garbage);
	answer(stream, wrong, ARRAY_LEN(wrong));
}

static void take(struct scene *scene, const Skein__V1__Delivery *delivery)
{
	const Skein__V1__Connections *others = delivery->audience ? delivery->audience->targets->others : NULL;

	if (delivery->message.len)
		scene->messages++;
	for (size_t i = 0; !delivery->message.len && others && i < others->n_conns; i++) {
		uint64_t *told = &scene->told[others->conns[i]];

		*told = MAX(*told, others->offsets[i]);
	}
}

static void on_batch(struct rpc_stream *stream, struct str message, void *arg)
{
	struct scene *scene = arg;
	Skein__V1__DeliverBatch *batch = skein__v1__deliver_batch__unpack(NULL, message.len, (const uint8_t *)message.ptr);

	assert_non_null(batch);
	for (size_t i = 0; i < batch->n_deliveries; i++) {
		uint64_t twice[] = { batch->deliveries[i]->id, batch->deliveries[i]->id };

		take(scene, batch->deliveries[i]);
		if (scene->behaviour == ANSWERS)
			answer(stream, twice, 2);
		else if (scene->behaviour == TALKS_NONSENSE)
			talk_nonsense(stream, batch->deliveries[i]->id);
		else
			scene->unanswered[scene->unanswered_count++ % DELIVERIES] = batch->deliveries[i]->id;
	}
	skein__v1__deliver_batch__free_unpacked(batch, NULL);
}

static void on_stream(struct rpc_stream *stream, void *arg)
{
	struct scene *scene = arg;

	scene->streams++;
	scene->stream = stream;
	if (scene->behaviour == CLOSES_AT_ONCE)
		rpc_stream_end(stream, ERR_UNAVAILABLE, "no");
}

static const struct rpc_stream_handlers played = { .opened = on_stream, .message = on_batch };
static const struct rpc_method methods[] = { { .path = "/skein.v1.Gateway/Deliver", .stream = &played } };

/* ---- the scene ---- */

static void on_registered(void *arg, err_t err, uint64_t epoch)
{
	struct scene *scene = arg;

	assert_int_equal(err, OK);
	scene->node.epoch = epoch;
	scene->is_registered = true;
}

static bool is_connected(void *arg)
{
	return redis_is_connected(arg);
}

static int open_scene_with(void **state, uint64_t give_up_ms)
{
	static unsigned count;
	struct scene *scene = MEM_NEW(struct scene);
	const struct redis_options redis_options = { .uri = redis_server.uri, .max_waiting = 1000, .timeout_ms = 5000 };
	const struct rpc_server_options server_options = {
		.listen = scene->address, .methods = methods, .method_count = ARRAY_LEN(methods), .arg = scene,
	};

	snprintf(scene->address, sizeof(scene->address), "127.0.0.1:%u", real_server_free_port());
	assert_int_equal(worker_init(&scene->worker, "test"), OK);
	assert_int_equal(redis_new(&scene->redis, &scene->worker, &redis_options), OK);
	assert_int_equal(rpc_client_new(&scene->client), OK);
	assert_int_equal(rpc_server_new(&scene->server, &scene->worker, &server_options), OK);
	turn_until(&scene->worker, is_connected, scene->redis);
	scene->node = (struct node){ .ws_url = "ws://127.0.0.1:1/ws", .cell = "a" };
	(void)str_copy(scene->node.grpc_address, sizeof(scene->node.grpc_address), str_from(scene->address));
	snprintf(scene->node.name, sizeof(scene->node.name), "gateway-%u", ++count);
	node_register(scene->redis, &scene->node, on_registered, scene);
	turn_until_true(&scene->worker, &scene->is_registered);
	scene->nodes = node_list_new(scene->redis, &scene->worker);
	scene->gateways = gateways_new(&scene->worker, scene->client, scene->nodes, give_up_ms);
	*state = scene;
	return 0;
}

static int open_scene(void **state)
{
	return open_scene_with(state, GIVE_UP_MS);
}

static int open_patient_scene(void **state)
{
	return open_scene_with(state, 10 * STORE_PATIENCE_MS);
}

static int close_scene(void **state)
{
	struct scene *scene = *state;
	bool is_closed = false;

	node_remove(scene->redis, str_from(scene->node.name), scene->node.epoch, NULL, NULL);
	gateways_free(scene->gateways);
	node_list_free(scene->nodes);
	rpc_client_close(scene->client, &scene->worker, note_closed, &is_closed);
	turn_until_true(&scene->worker, &is_closed);
	is_closed = false;
	rpc_server_close(scene->server, 0, note_closed, &is_closed);
	turn_until_true(&scene->worker, &is_closed);
	is_closed = false;
	redis_close(scene->redis, note_closed, &is_closed);
	turn_until_true(&scene->worker, &is_closed);
	end_worker(&scene->worker);
	mem_free(scene);
	return 0;
}

static void on_gone(struct delivery *delivery, uint64_t conn)
{
	(void)delivery;
	fail_msg("nobody said that %llu is gone", (unsigned long long)conn);
}

static void on_done(struct delivery *delivery)
{
	struct part *part = container_of(delivery, struct part, delivery);

	assert_int_equal(part->done++, 0);
	part->scene->done++;
}

/* Sends a message for a connection at this offset of its inbox. Returns whether push only noted the offset. */
static bool deliver_message(struct scene *scene, uint64_t conn, uint64_t offset, struct str message)
{
	Skein__V1__Delivery content;
	Skein__V1__Audience audience = SKEIN__V1__AUDIENCE__INIT;
	Skein__V1__Targets targets = SKEIN__V1__TARGETS__INIT;
	Skein__V1__Connections others = SKEIN__V1__CONNECTIONS__INIT;
	uint64_t epoch = 1;
	struct part *part = &scene->parts[scene->part_count++];
	struct gateway *gateway = gateways_get(scene->gateways, str_from(scene->node.name), scene->node.epoch);

	skein__v1__delivery__init(&content);
	others.conns = &conn;
	others.offsets = &offset;
	others.epochs = &epoch;
	others.n_conns = others.n_offsets = others.n_epochs = 1;
	targets.others = &others;
	audience.who_case = SKEIN__V1__AUDIENCE__WHO_TARGETS;
	audience.targets = &targets;
	content.audience = &audience;
	content.content_case = SKEIN__V1__DELIVERY__CONTENT_MESSAGE;
	content.message = (ProtobufCBinaryData){ .data = (uint8_t *)message.ptr, .len = message.len };
	part->scene = scene;
	part->delivery.gone = on_gone;
	part->delivery.done = on_done;
	assert_false(gateway_is_dead(gateway));
	gateway_deliver(gateway, &part->delivery, &content);
	gateway_unref(gateway);
	return part->delivery.is_noted;
}

static bool deliver(struct scene *scene, uint64_t conn, uint64_t offset)
{
	return deliver_message(scene, conn, offset, STR("hi"));
}

static bool are_all_told(void *arg)
{
	const uint64_t *told = arg;

	return told[1] == 6 && told[2] == 7 && told[3] == 9;
}

static bool is_quiet(void *arg)
{
	struct scene *scene = arg;

	return gateways_in_flight(scene->gateways) == 0;
}

/* push gives the gateway up with offsets 5 and 6 owed to connection 1 and 7 to connection 2; then 9 to connection 3. */
static void be_given_up(struct scene *scene)
{
	uint64_t start = clock_mono_ms();

	deliver(scene, 1, 5);
	deliver(scene, 1, 6);
	deliver(scene, 2, 7);
	turn_until_count(&scene->worker, &scene->done, 3);
	assert_true(clock_mono_ms() - start >= GIVE_UP_MS);
	assert_true(deliver(scene, 3, 9));
	assert_int_equal(scene->done, 3); /* not from inside the call */
	turn_until_count(&scene->worker, &scene->done, 4);
	assert_int_equal(gateways_in_flight(scene->gateways), 1); /* the probe */
}

static void come_back(struct scene *scene)
{
	scene->behaviour = ANSWERS;
	turn_until(&scene->worker, are_all_told, scene->told);
	unsigned messages = scene->messages, done = scene->done;
	assert_false(deliver(scene, 4, 1)); /* all as before */
	turn_until_count(&scene->worker, &scene->done, done + 1);
	assert_int_equal(scene->messages, messages + 1);
}

/* ---- the tests ---- */

static void a_gateway_that_never_answers_is_given_up_and_gets_the_offsets_when_it_answers_again(void **state)
{
	struct scene *scene = *state;

	scene->behaviour = IS_SILENT;
	be_given_up(scene);
	come_back(scene);
}

static void a_gateway_that_closes_its_stream_again_and_again_is_asked_a_few_times_a_second_and_given_up(void **state)
{
	struct scene *scene = *state;
	uint64_t start = clock_mono_ms();

	scene->behaviour = CLOSES_AT_ONCE;
	be_given_up(scene);
	assert_true(scene->streams <= 2 + (clock_mono_ms() - start) / 100);
	come_back(scene);
}

static void answers_that_fit_no_delivery_are_counted_and_end_none(void **state)
{
	struct scene *scene = *state;
	struct counter *unexpected = metrics_counter("skein_push_answers_unexpected_total", "", NULL);
	uint64_t before = counter_value(unexpected);

	scene->behaviour = TALKS_NONSENSE;
	be_given_up(scene); /* by age, not by an answer */
	assert_true(counter_value(unexpected) >= before + 3 * 6); /* each delivery: garbage and five wrong ids */
	come_back(scene);
}

static void a_gateway_that_dies_after_it_was_given_up_leaves_nothing_under_way(void **state)
{
	struct scene *scene = *state;

	scene->behaviour = IS_SILENT;
	be_given_up(scene);
	assert_true(deliver(scene, 3, 10));
	node_remove(scene->redis, str_from(scene->node.name), scene->node.epoch, NULL, NULL);
	turn_until_count(&scene->worker, &scene->done, 5);
	turn_until(&scene->worker, is_quiet, scene);
}

static bool has_all_in_flight(void *arg)
{
	struct scene *scene = arg;

	return scene->unanswered_count == GATEWAY_MAX_IN_FLIGHT;
}

static void a_frozen_gateway_gets_the_offsets_of_messages_over_its_limit_when_it_resumes(void **state)
{
	struct scene *scene = *state;
	struct counter *noted = metrics_counter("skein_push_deliveries_noted_total", "", NULL);
	uint64_t before = counter_value(noted);

	scene->behaviour = IS_SILENT;
	for (unsigned i = 0; i < GATEWAY_MAX_IN_FLIGHT; i++)
		assert_false(deliver(scene, 4, i + 1));
	turn_until(&scene->worker, has_all_in_flight, scene);
	assert_true(deliver(scene, 1, 5));
	assert_true(deliver(scene, 1, 6));
	assert_true(deliver(scene, 2, 7));
	assert_true(deliver(scene, 3, 9));
	assert_int_equal(counter_value(noted), before + 4);
	assert_int_equal(scene->done, 0);
	scene->behaviour = ANSWERS;
	answer(scene->stream, scene->unanswered, scene->unanswered_count);
	turn_until(&scene->worker, are_all_told, scene->told);
	turn_until_count(&scene->worker, &scene->done, GATEWAY_MAX_IN_FLIGHT + 4);
	assert_int_equal(scene->messages, GATEWAY_MAX_IN_FLIGHT);
	assert_false(deliver(scene, 4, GATEWAY_MAX_IN_FLIGHT + 1));
	turn_until_count(&scene->worker, &scene->done, GATEWAY_MAX_IN_FLIGHT + 5);
}

static void a_message_too_large_for_grpc_is_sent_as_its_numbers_and_stops_no_other(void **state)
{
	struct scene *scene = *state;
	struct buf large = { 0 };

	memset(buf_reserve(&large, RPC_MESSAGE_MAX), 'x', RPC_MESSAGE_MAX);
	large.len = RPC_MESSAGE_MAX;
	assert_false(deliver_message(scene, 1, 5, buf_str(&large)));
	assert_false(deliver(scene, 2, 7));
	turn_until_count(&scene->worker, &scene->done, 2);
	assert_int_equal(scene->told[1], 5);
	assert_int_equal(scene->messages, 1);
	assert_int_equal(scene->streams, 1);
	buf_release(&large);
}

static void on_node_changed(void *arg, err_t err, bool was_out)
{
	(void)was_out;
	assert_int_equal(err, OK);
	*(bool *)arg = true;
}

static bool is_known_dead(void *arg)
{
	return gateway_is_dead(arg);
}

static bool is_known_alive(void *arg)
{
	return !gateway_is_dead(arg);
}

static void a_gateway_that_is_listed_again_under_its_epoch_counts_as_alive(void **state)
{
	struct scene *scene = *state;
	struct gateway *gateway = gateways_get(scene->gateways, str_from(scene->node.name), scene->node.epoch);
	bool is_removed = false, is_renewed = false;

	assert_false(gateway_is_dead(gateway));
	node_remove(scene->redis, str_from(scene->node.name), scene->node.epoch, on_node_changed, &is_removed);
	turn_until(&scene->worker, is_known_dead, gateway);
	node_renew(scene->redis, &scene->node, on_node_changed, &is_renewed);
	turn_until(&scene->worker, is_known_alive, gateway);
	assert_true(is_removed && is_renewed);
	node_remove(scene->redis, str_from(scene->node.name), scene->node.epoch, NULL, NULL);
	turn_until(&scene->worker, is_known_dead, gateway);
	gateway_unref(gateway);
}

static int make_redis(void **state)
{
	(void)state;
	real_server_make(&redis_server);
	return 0;
}

static int remove_redis(void **state)
{
	(void)state;
	real_server_remove(&redis_server);
	return 0;
}

#define GATEWAY_TEST(name) cmocka_unit_test_setup_teardown(name, open_scene, close_scene)

int main(void)
{
	const struct CMUnitTest tests[] = {
		GATEWAY_TEST(a_gateway_that_never_answers_is_given_up_and_gets_the_offsets_when_it_answers_again),
		GATEWAY_TEST(a_gateway_that_closes_its_stream_again_and_again_is_asked_a_few_times_a_second_and_given_up),
		GATEWAY_TEST(answers_that_fit_no_delivery_are_counted_and_end_none),
		cmocka_unit_test_setup_teardown(
			a_frozen_gateway_gets_the_offsets_of_messages_over_its_limit_when_it_resumes, open_patient_scene,
			close_scene),
		GATEWAY_TEST(a_gateway_that_dies_after_it_was_given_up_leaves_nothing_under_way),
		cmocka_unit_test_setup_teardown(a_message_too_large_for_grpc_is_sent_as_its_numbers_and_stops_no_other,
		                                open_patient_scene, close_scene),
		GATEWAY_TEST(a_gateway_that_is_listed_again_under_its_epoch_counts_as_alive),
	};
	return cmocka_run_group_tests(tests, make_redis, remove_redis);
}
