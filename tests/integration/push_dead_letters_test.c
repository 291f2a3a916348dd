/* Records that push cannot use, on a topic that takes less than they have: something of each is always parked. */

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
#include "message/topics.h"
#include "push/intake/dead_letters.h"
#include "store_kafka_fixture.h"

#define TOPIC_LIMIT 4000
#define PLACE_OF(letter) (100 + (letter))

struct seen {
	size_t key, value;
	int64_t value_bytes; /* as the header says; -1: there is none */
	bool has_reason;
};

struct scene {
	struct dead_letters *letters;
	struct kafka_consumer *consumer;
	unsigned parked, read;
	struct seen seen[3]; /* by the offset in their header */
};

static void on_parked(void *arg, int32_t partition, int64_t offset)
{
	struct scene *scene = arg;

	assert_int_equal(partition, 7);
	assert_in_range(offset, PLACE_OF(0), PLACE_OF(2));
	scene->parked++;
}

static void on_letter(void *arg, struct kafka_record *record)
{
	struct scene *scene = arg;
	struct kafka_header headers[16];
	unsigned count = kafka_record_headers(record, headers, ARRAY_LEN(headers));
	struct seen seen = { .key = record->key.len, .value = record->value.len, .value_bytes = -1 };
	uint64_t number = 0, offset = 0, partition = 0;

	for (unsigned i = 0; i < count; i++) {
		if (strcmp(headers[i].name, DEAD_OFFSET) == 0)
			assert_true(str_to_u64(headers[i].value, &offset));
		if (strcmp(headers[i].name, DEAD_PARTITION) == 0)
			assert_true(str_to_u64(headers[i].value, &partition));
		if (strcmp(headers[i].name, DEAD_VALUE_BYTES) == 0) {
			assert_true(str_to_u64(headers[i].value, &number));
			seen.value_bytes = (int64_t)number;
		}
		seen.has_reason |= strcmp(headers[i].name, DEAD_REASON) == 0 && str_equal(headers[i].value, STR("a test"));
	}
	assert_int_equal(partition, 7);
	assert_in_range(offset, PLACE_OF(0), PLACE_OF(2));
	scene->seen[offset - PLACE_OF(0)] = seen;
	scene->read++;
	kafka_record_free(record);
}

static void on_assigned(void *arg, int32_t partition, int64_t offset)
{
	(void)arg;
	(void)partition;
	(void)offset;
}

static void on_revoked(void *arg, int32_t partition, bool lost)
{
	(void)arg;
	(void)partition;
	(void)lost;
}

static const struct kafka_consumer_handlers handlers = { on_letter, on_assigned, on_revoked };

static void open_scene(struct scene *scene)
{
	const struct kafka_topic topic = {
		.name = TOPIC_DEAD, .partitions = 1, .replication = 1, .config = "max.message.bytes=4000",
	};
	const struct kafka_consumer_options options = {
		.brokers = store_kafka_server.uri,
		.client_id = "test",
		.group = "test",
		.topic = TOPIC_DEAD,
		.commit_interval_ms = 500,
	};

	*scene = (struct scene){ .letters = NULL };
	assert_int_equal(kafka_ensure_topics(store_kafka_server.uri, &topic, 1, 20000), OK);
	assert_int_equal(kafka_consumer_new(&scene->consumer, &store_kafka_worker, &options, &handlers, scene), OK);
	assert_int_equal(dead_letters_new(&scene->letters, &store_kafka_worker, store_kafka_server.uri, "test", on_parked, scene),
	                 OK);
}

static void close_scene(struct scene *scene)
{
	bool is_closed = false;

	dead_letters_stop(scene->letters);
	dead_letters_close(scene->letters, note_closed, &is_closed);
	turn_until_true(&store_kafka_worker, &is_closed);
	is_closed = false;
	kafka_consumer_close(scene->consumer, note_closed, &is_closed);
	turn_until_true(&store_kafka_worker, &is_closed);
}

static void park(struct scene *scene, unsigned letter, size_t key_len, size_t value_len)
{
	char *text = mem_alloc(MAX(key_len, value_len));

	memset(text, 'x', MAX(key_len, value_len));
	dead_letters_park_copy(scene->letters, 7, PLACE_OF(letter), str_of(text, key_len), str_of(text, value_len), "a test");
	mem_free(text);
}

static void what_the_topic_does_not_take_is_left_out_and_the_place_is_always_parked(void **state)
{
	struct scene scene;
	(void)state;

	open_scene(&scene);
	park(&scene, 0, 10, 100);
	park(&scene, 1, 10, 2 * TOPIC_LIMIT);
	park(&scene, 2, 2 * TOPIC_LIMIT, 2 * TOPIC_LIMIT);
	turn_until_count(&store_kafka_worker, &scene.parked, 3);
	turn_until_count(&store_kafka_worker, &scene.read, 3);
	for (size_t i = 0; i < ARRAY_LEN(scene.seen); i++) {
		assert_true(scene.seen[i].has_reason);
		assert_int_equal(scene.seen[i].key, i == 2 ? 0 : 10);
		assert_int_equal(scene.seen[i].value, i == 0 ? 100 : 0);
		assert_int_equal(scene.seen[i].value_bytes, i == 0 ? -1 : 2 * TOPIC_LIMIT);
	}
	close_scene(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_topic_does_not_take_is_left_out_and_the_place_is_always_parked),
	};
	return cmocka_run_group_tests(tests, make_kafka_server, remove_kafka_server);
}
