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
#include "im/events/events.h"
#include "proto/record.pb-c.h"

/* ---- instead of Kafka: the records that were produced ---- */

#define PRODUCED_MAX 5000

static struct {
	Skein__V1__EventRecord *records[PRODUCED_MAX];
	kafka_delivered delivered[PRODUCED_MAX];
	void *args[PRODUCED_MAX];
	unsigned count, acknowledged;
	err_t refusal;
} produced;

err_t kafka_produce(struct kafka_producer *producer, const char *topic, struct str key, struct str value,
                    const struct kafka_header *headers, unsigned header_count, kafka_delivered delivered, void *arg)
{
	(void)producer;
	(void)headers;
	(void)header_count;
	assert_string_equal(topic, "im.event");
	assert_true(str_equal(key, STR("im-1")));
	if (produced.refusal)
		return produced.refusal;
	assert_true(produced.count < PRODUCED_MAX);
	produced.records[produced.count] = skein__v1__event_record__unpack(NULL, value.len, (const uint8_t *)value.ptr);
	assert_non_null(produced.records[produced.count]);
	produced.delivered[produced.count] = delivered;
	produced.args[produced.count++] = arg;
	return OK;
}

static void acknowledge_all(err_t err)
{
	for (; produced.acknowledged < produced.count; produced.acknowledged++)
		produced.delivered[produced.acknowledged](produced.args[produced.acknowledged], err);
}

/* ---- the events ---- */

struct scene {
	struct worker worker;
	struct events events;
};

static int begin(void **state)
{
	struct scene *scene = MEM_NEW(struct scene);
	static char producer;

	memset(&produced, 0, sizeof(produced));
	assert_int_equal(worker_init(&scene->worker, "test"), OK);
	events_init(&scene->events, &scene->worker, (struct kafka_producer *)(void *)&producer, "im-1");
	*state = scene;
	return 0;
}

static int end(void **state)
{
	struct scene *scene = *state;

	events_stop(&scene->events);
	acknowledge_all(OK);
	for (unsigned i = 0; i < produced.count; i++)
		skein__v1__event_record__free_unpacked(produced.records[i], NULL);
	worker_stop(&scene->worker);
	worker_join(&scene->worker);
	mem_free(scene);
	return 0;
}

static void emit_to(struct scene *scene, const struct str *uids, size_t count, const char *body)
{
	const struct event event = { .uids = uids, .uid_count = count, .kind = "read", .body = str_from(body) };

	events_emit(&scene->events, &event);
}

static void an_event_names_the_connection_that_is_not_told(void **state)
{
	struct scene *scene = *state;
	const struct str uid = STR("alice");
	const struct event event = {
		.uids = &uid, .uid_count = 1, .kind = "read", .body = STR("{}"), .except = { .node_epoch = 7, .conn = 9 },
	};

	events_emit(&scene->events, &event);
	emit_to(scene, &uid, 1, "{}");
	events_stop(&scene->events);
	assert_int_equal(produced.records[0]->n_events, 2);
	assert_int_equal(produced.records[0]->events[0]->except->node_epoch, 7);
	assert_int_equal(produced.records[0]->events[0]->except->conn, 9);
	assert_null(produced.records[0]->events[1]->except);
}

static void emit(struct scene *scene, const char *uid, const char *body)
{
	const struct str to = str_from(uid);

	emit_to(scene, &to, 1, body);
}

static void turn_until_produced(struct scene *scene, unsigned count)
{
	while (produced.count < count)
		uv_run(&scene->worker.loop, UV_RUN_ONCE);
}

static void events_of_one_moment_leave_in_one_record_in_their_order(void **state)
{
	struct scene *scene = *state;

	emit(scene, "alice", "{\"seq\":1}");
	emit(scene, "bob", "{\"seq\":2}");
	assert_int_equal(produced.count, 0);
	turn_until_produced(scene, 1);
	const Skein__V1__EventRecord *record = produced.records[0];
	assert_int_equal(record->version, 1);
	assert_int_equal(record->n_events, 2);
	assert_string_equal(record->events[0]->audience->users->uids[0], "alice");
	assert_string_equal(record->events[0]->event->kind, "read");
	assert_string_equal(record->events[0]->event->body, "{\"seq\":1}");
	assert_string_equal(record->events[1]->audience->users->uids[0], "bob");
	assert_string_equal(record->events[1]->event->body, "{\"seq\":2}");
}

static void no_record_names_more_users_than_push_takes(void **state)
{
	struct scene *scene = *state;
	static struct str uids[2500];

	for (size_t i = 0; i < ARRAY_LEN(uids); i++)
		uids[i] = STR("alice");
	emit_to(scene, uids, 600, "{}");
	emit_to(scene, uids, ARRAY_LEN(uids), "{}");
	turn_until_produced(scene, 4);
	const size_t expected[] = { 600, 1000, 1000, 500 };
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(produced.records[i]->n_events, 1);
		assert_int_equal(produced.records[i]->events[0]->audience->users->n_uids, expected[i]);
	}
}

static void a_record_that_is_full_of_bytes_leaves_at_once(void **state)
{
	struct scene *scene = *state;
	char body[8001] = "";
	unsigned emitted = 0;

	memset(body, 'x', sizeof(body) - 1);
	while (!produced.count) {
		emit(scene, "alice", body);
		emitted++;
	}
	assert_int_equal(produced.records[0]->n_events, emitted);
	assert_in_range(emitted, 8, 9);
}

static void a_record_has_at_most_250_events(void **state)
{
	struct scene *scene = *state;

	for (unsigned i = 0; i < EVENTS_RECORD_EVENTS_MAX + 1; i++)
		emit(scene, "alice", "{}");
	assert_int_equal(produced.count, 1);
	assert_int_equal(produced.records[0]->n_events, EVENTS_RECORD_EVENTS_MAX);
	turn_until_produced(scene, 2);
	assert_int_equal(produced.records[1]->n_events, 1);
}

static void an_event_that_push_would_not_take_is_dropped_and_spoils_no_record(void **state)
{
	struct scene *scene = *state;
	static char body[EVENT_RECORD_MAX_BODY + 2];
	uint64_t before = counter_value(scene->events.dropped_too_large);

	memset(body, 'x', EVENT_RECORD_MAX_BODY + 1);
	emit(scene, "alice", body);
	assert_int_equal(counter_value(scene->events.dropped_too_large), before + 1);
	body[EVENT_RECORD_MAX_BODY] = '\0';
	emit(scene, "alice", body);
	turn_until_produced(scene, 1);
	assert_int_equal(produced.records[0]->n_events, 1);
}

static void events_over_the_bound_are_dropped_until_kafka_has_some(void **state)
{
	struct scene *scene = *state;

	for (unsigned i = 0; i < EVENTS_MAX_WAITING + 3; i++)
		emit(scene, "alice", "{}");
	assert_int_equal(counter_value(scene->events.dropped_full), 3);
	assert_int_equal(produced.count, EVENTS_MAX_WAITING / EVENTS_RECORD_EVENTS_MAX);
	acknowledge_all(OK);
	assert_int_equal(scene->events.waiting, 0);
	assert_int_equal(scene->events.waiting_bytes, 0);
	emit(scene, "alice", "{}");
	assert_int_equal(counter_value(scene->events.dropped_full), 3);
}

static void events_that_kafka_does_not_take_are_counted(void **state)
{
	struct scene *scene = *state;
	uint64_t before = counter_value(scene->events.dropped_kafka);

	emit(scene, "alice", "{}");
	emit(scene, "alice", "{}");
	turn_until_produced(scene, 1);
	acknowledge_all(ERR_UNAVAILABLE);
	assert_int_equal(counter_value(scene->events.dropped_kafka), before + 2);
	produced.refusal = ERR_FULL;
	emit(scene, "alice", "{}");
	while (scene->events.waiting)
		uv_run(&scene->worker.loop, UV_RUN_ONCE);
	assert_int_equal(counter_value(scene->events.dropped_kafka), before + 3);
	assert_int_equal(scene->events.waiting_bytes, 0);
}

static void stopping_gives_the_open_record_to_kafka_and_later_events_are_dropped(void **state)
{
	struct scene *scene = *state;
	uint64_t before = counter_value(scene->events.dropped_full);

	emit(scene, "alice", "{}");
	events_stop(&scene->events);
	assert_int_equal(produced.count, 1);
	emit(scene, "alice", "{}");
	assert_int_equal(counter_value(scene->events.dropped_full), before + 1);
}

#define EVENTS_TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		EVENTS_TEST(events_of_one_moment_leave_in_one_record_in_their_order),
		EVENTS_TEST(an_event_names_the_connection_that_is_not_told),
		EVENTS_TEST(no_record_names_more_users_than_push_takes),
		EVENTS_TEST(a_record_that_is_full_of_bytes_leaves_at_once),
		EVENTS_TEST(a_record_has_at_most_250_events),
		EVENTS_TEST(an_event_that_push_would_not_take_is_dropped_and_spoils_no_record),
		EVENTS_TEST(events_over_the_bound_are_dropped_until_kafka_has_some),
		EVENTS_TEST(events_that_kafka_does_not_take_are_counted),
		EVENTS_TEST(stopping_gives_the_open_record_to_kafka_and_later_events_are_dropped),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
