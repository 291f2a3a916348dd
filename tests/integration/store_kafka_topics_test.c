#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/macros.h"
#include "store_kafka_fixture.h"

static void note_err(void *arg, err_t err)
{
	*(err_t *)arg = err;
}

static bool is_known(void *arg)
{
	return *(err_t *)arg != ERR_COUNT;
}

static err_t probe(const char *brokers, const char *topic)
{
	err_t err = ERR_COUNT;

	kafka_probe_topic(&store_kafka_worker, brokers, topic, 1000, note_err, &err);
	assert_int_equal(err, ERR_COUNT);
	turn_until(&store_kafka_worker, is_known, &err);
	return err;
}

static void a_probe_tells_whether_a_topic_can_be_used(void **state)
{
	char topic[32];
	(void)state;

	make_topic(topic, 2);
	assert_int_equal(probe(store_kafka_server.uri, topic), OK);
	assert_int_equal(probe(store_kafka_server.uri, "missing"), ERR_UNAVAILABLE);
	uint64_t start = clock_mono_ms();
	assert_int_equal(probe("127.0.0.1:1", topic), ERR_UNAVAILABLE);
	assert_in_range(clock_mono_ms() - start, 900, 10000);
}

static void topics_are_made_once(void **state)
{
	const struct kafka_topic topics[] = {
		{ "made-1", 3, 1, "retention.ms=604800000,min.insync.replicas=1" },
		{ "made-2", 1, 1, NULL },
	};
	const struct kafka_topic more[] = { { "made-2", 5, 1, NULL }, { "made-3", 1, 1, NULL } };
	const struct kafka_topic bad[] = { { "made-4", 1, 1, "no.such.setting=1" } };
	const struct kafka_topic too_many_copies[] = { { "made-5", 1, 3, NULL } };
	(void)state;

	assert_int_equal(kafka_ensure_topics(store_kafka_server.uri, topics, ARRAY_LEN(topics), 10000), OK);
	assert_int_equal(kafka_ensure_topics(store_kafka_server.uri, more, ARRAY_LEN(more), 10000), OK);
	assert_int_equal(probe(store_kafka_server.uri, "made-3"), OK);
	assert_int_equal(kafka_ensure_topics(store_kafka_server.uri, bad, 1, 10000), ERR_BAD_CONFIG);
	assert_int_equal(kafka_ensure_topics(store_kafka_server.uri, too_many_copies, 1, 1000), ERR_UNAVAILABLE);
	assert_int_equal(kafka_ensure_topics("127.0.0.1:1", topics, 1, 500), ERR_UNAVAILABLE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_probe_tells_whether_a_topic_can_be_used),
		cmocka_unit_test(topics_are_made_once),
	};
	return cmocka_run_group_tests(tests, make_kafka_server, remove_kafka_server);
}
