/*
 * A consumer whose broker answers that an offset is out of range: the broker was frozen and still believes that it leads, or it
 * lost its log. A real broker cannot be made to answer so at will; this is librdkafka's mock broker.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "base/clock.h"
#include "store/kafka/kafka.h"
#include "store_fixture.h"

#define TOPIC "records"
#define FETCH 1 /* the number of that request in Kafka's protocol */

static struct worker worker;
static rd_kafka_t *sender;
static rd_kafka_mock_cluster_t *cluster;

static void send_records(unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(rd_kafka_producev(sender, RD_KAFKA_V_TOPIC(TOPIC), RD_KAFKA_V_VALUE("x", 1), RD_KAFKA_V_END), 0);
	assert_int_equal(rd_kafka_flush(sender, 10000), 0);
}

/* Every second fetch is answered with that error, `count` times. */
static void say_out_of_range(unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		rd_kafka_mock_push_request_errors(cluster, FETCH, 2, RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE,
		                                  RD_KAFKA_RESP_ERR_NO_ERROR);
}

struct reader {
	struct kafka_consumer *consumer;
	unsigned records, assigned, lost;
	int64_t next;
};

/* Each record once, without a hole, from where the partition was assigned. */
static void on_record(void *arg, struct kafka_record *record)
{
	struct reader *reader = arg;

	assert_int_equal(record->offset, reader->next);
	reader->next = record->offset + 1;
	reader->records++;
	kafka_record_free(record);
}

static void on_assigned(void *arg, int32_t partition, int64_t offset)
{
	struct reader *reader = arg;

	assert_int_equal(partition, 0);
	reader->next = offset;
	reader->assigned++;
}

static void on_revoked(void *arg, int32_t partition, bool lost)
{
	struct reader *reader = arg;

	assert_int_equal(partition, 0);
	reader->lost += lost;
}

static void reader_open(struct reader *reader, const char *group)
{
	static const struct kafka_consumer_handlers handlers = { on_record, on_assigned, on_revoked };
	const struct kafka_consumer_options options = {
		.brokers = rd_kafka_mock_cluster_bootstraps(cluster),
		.client_id = "test",
		.group = group,
		.topic = TOPIC,
		.commit_interval_ms = 100,
	};

	*reader = (struct reader){ .consumer = NULL };
	assert_int_equal(kafka_consumer_new(&reader->consumer, &worker, &options, &handlers, reader), OK);
}

static void reader_close(struct reader *reader)
{
	bool is_closed = false;

	kafka_consumer_close(reader->consumer, note_closed, &is_closed);
	turn_until_true(&worker, &is_closed);
}

static void records_taken_before_do_not_come_again_from_a_broker_that_lacks_the_next_ones(void **state)
{
	struct reader reader;
	(void)state;

	send_records(100);
	reader_open(&reader, "stale");
	turn_until_count(&worker, &reader.records, 100);
	say_out_of_range(2);
	turn_for(&worker, 3000); /* a fetch waits for 0.5 s; a reset to the earliest record would come at once */
	send_records(30);
	turn_until_count(&worker, &reader.records, 130);
	assert_int_equal(reader.assigned, 1);
	assert_int_equal(reader.lost, 0);
	reader_close(&reader);
}

static void committed_records_do_not_come_again_to_a_consumer_that_has_taken_none_yet(void **state)
{
	struct reader reader;
	(void)state;

	reader_open(&reader, "committed");
	turn_until_count(&worker, &reader.records, 130);
	kafka_store_offset(reader.consumer, 0, 130);
	reader_close(&reader);
	say_out_of_range(1);
	reader_open(&reader, "committed");
	turn_until_count(&worker, &reader.assigned, 1);
	assert_int_equal(reader.next, 130);
	turn_for(&worker, 1500);
	send_records(10);
	turn_until_count(&worker, &reader.records, 10);
	reader_close(&reader);
}

static void when_the_error_lasts_the_log_was_lost_and_its_records_are_new(void **state)
{
	struct reader reader;
	(void)state;

	reader_open(&reader, "lost");
	turn_until_count(&worker, &reader.records, 140);
	kafka_store_offset(reader.consumer, 0, 140);
	uint64_t start_ms = clock_mono_ms();
	say_out_of_range(5000);
	turn_until_count(&worker, &reader.lost, 1);
	assert_in_range(clock_mono_ms() - start_ms, 9000, 30000);
	rd_kafka_mock_clear_request_errors(cluster, FETCH);
	turn_until_count(&worker, &reader.records, 280);
	assert_int_equal(reader.assigned, 2);
	kafka_store_offset(reader.consumer, 0, 40);
	turn_for(&worker, 500);
	assert_int_equal(kafka_consumer_lag(reader.consumer), 100); /* new records are committed again */
	reader_close(&reader);
}

static int start(void **state)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	(void)state;

	assert_int_equal(rd_kafka_conf_set(conf, "test.mock.num.brokers", "1", NULL, 0), RD_KAFKA_CONF_OK);
	sender = rd_kafka_new(RD_KAFKA_PRODUCER, conf, NULL, 0);
	assert_non_null(sender);
	cluster = rd_kafka_handle_mock_cluster(sender);
	assert_int_equal(rd_kafka_mock_topic_create(cluster, TOPIC, 1, 1), 0);
	return worker_init(&worker, "test");
}

static int stop(void **state)
{
	(void)state;
	rd_kafka_destroy(sender);
	end_worker(&worker);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_taken_before_do_not_come_again_from_a_broker_that_lacks_the_next_ones),
		cmocka_unit_test(committed_records_do_not_come_again_to_a_consumer_that_has_taken_none_yet),
		cmocka_unit_test(when_the_error_lasts_the_log_was_lost_and_its_records_are_new),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
