#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "store_kafka_fixture.h"

static void a_consumer_goes_on_where_the_last_one_committed(void **state)
{
	struct sender sender;
	struct reader reader;
	char topic[32];
	(void)state;

	make_topic(topic, 1);
	sender_open(&sender, topic, MAX_WAITING);
	send_many(&sender, 96);
	sender_turn(&sender);
	reader_open(&reader, topic, topic);
	turn_until_count(&store_kafka_worker, &reader.records, 96);
	assert_int_equal(reader.assigned_at[0], 0);
	turn_for(&store_kafka_worker, 100);
	assert_int_equal(kafka_consumer_lag(reader.consumer), 96);
	assert_int_equal(kafka_consumer_untaken(reader.consumer), 0);
	kafka_store_offset(reader.consumer, 0, 40);
	kafka_store_offset(reader.consumer, 0, 30); /* an offset never goes backward */
	kafka_store_offset(reader.consumer, 3, 7); /* not ours */
	turn_for(&store_kafka_worker, 600);
	assert_int_equal(kafka_consumer_lag(reader.consumer), 56);
	kafka_store_offset(reader.consumer, 0, 56);
	reader_close(&reader);

	reader_open(&reader, topic, topic);
	turn_until_count(&store_kafka_worker, &reader.records, 40);
	assert_int_equal(reader.assigned_at[0], 56);
	assert_int_equal(reader.next_offset[0], 96);
	reader_close(&reader);
	sender_close(&sender);
}

static void partitions_move_with_their_offsets_and_no_record_comes_after(void **state)
{
	struct sender sender;
	struct reader readers[2];
	char topic[32];
	(void)state;

	make_topic(topic, PARTITIONS);
	sender_open(&sender, topic, MAX_WAITING);
	reader_open(&readers[0], topic, topic);
	readers[0].stores_at_revoke = true; /* stored in the revocation callback only, which must count */
	send_many(&sender, 4000);
	turn_until_count(&store_kafka_worker, &readers[0].records, 4000);
	/* A second consumer joins while records flow. on_record() checks that no record comes after a revocation. */
	reader_open(&readers[1], topic, topic);
	readers[1].stores = true;
	for (int i = 0; i < 50; i++) {
		send_many(&sender, 40);
		turn_for(&store_kafka_worker, 10);
	}
	turn_until(&store_kafka_worker, is_shared, readers);
	for (int p = 0; p < PARTITIONS; p++) {
		if (readers[1].is_ours[p])
			assert_int_equal(readers[1].assigned_at[p], readers[0].next_offset[p]);
	}
	assert_int_equal(readers[0].lost, 0);
	turn_until_count(&store_kafka_worker, &sender.told, sender.taken);
	turn_for(&store_kafka_worker, 300);
	assert_int_equal(readers[0].records + readers[1].records, sender.taken);
	assert_int_equal(readers[0].repeated + readers[1].repeated, 0);
	/* The second one leaves: the first one takes all partitions over where it stopped. */
	int64_t stopped_at[PARTITIONS];
	memcpy(stopped_at, readers[1].next_offset, sizeof(stopped_at));
	bool was_second[PARTITIONS];
	memcpy(was_second, readers[1].is_ours, sizeof(was_second));
	reader_close(&readers[1]);
	turn_until(&store_kafka_worker, first_has_all_partitions, readers);
	for (int p = 0; p < PARTITIONS; p++) {
		if (was_second[p])
			assert_int_equal(readers[0].assigned_at[p], stopped_at[p]);
	}
	reader_close(&readers[0]);
	sender_close(&sender);
}

static bool second_has_joined(void *arg)
{
	const struct reader *readers = arg;

	return kafka_consumer_has_joined(readers[1].consumer);
}

/* A cooperative rebalance gives it none in the first round, and meanwhile nobody has those that the others gave up. */
static void a_new_member_has_joined_only_when_it_has_its_partitions(void **state)
{
	struct reader readers[2];
	char topic[32];
	(void)state;

	make_topic(topic, PARTITIONS);
	reader_open(&readers[0], topic, topic);
	turn_until(&store_kafka_worker, first_has_all_partitions, readers);
	assert_true(kafka_consumer_has_joined(readers[0].consumer));
	reader_open(&readers[1], topic, topic);
	turn_until(&store_kafka_worker, second_has_joined, readers);
	assert_true(is_shared(readers));
	reader_close(&readers[1]);
	reader_close(&readers[0]);
}

static void a_paused_consumer_gets_nothing_and_misses_nothing(void **state)
{
	struct sender sender;
	struct reader reader;
	char topic[32];
	(void)state;

	make_topic(topic, PARTITIONS);
	sender_open(&sender, topic, MAX_WAITING);
	reader_open(&reader, topic, topic);
	reader.pause_at = 100; /* in the middle of a turn */
	send_many(&sender, 5000);
	turn_until_count(&store_kafka_worker, &reader.records, 100);
	turn_for(&store_kafka_worker, 100); /* shorter than the time after which a pause is final */
	assert_int_equal(reader.records, 100);
	reader.pause_at = 1000;
	kafka_consumer_resume(reader.consumer);
	turn_until_count(&store_kafka_worker, &reader.records, 1000);
	turn_for(&store_kafka_worker, 1000); /* longer */
	assert_int_equal(reader.records, 1000);
	assert_in_range(kafka_consumer_untaken(reader.consumer), 1, 4000);
	kafka_consumer_pause(reader.consumer); /* again, to no effect */
	kafka_consumer_resume(reader.consumer);
	kafka_consumer_resume(reader.consumer);
	turn_until_count(&store_kafka_worker, &reader.records, 5000);
	assert_has_all(&reader, 5000);
	assert_int_equal(kafka_consumer_untaken(reader.consumer), 0);
	assert_int_equal(reader.repeated, 0);
	reader_close(&reader);
	sender_close(&sender);
}

static void a_paused_consumer_still_takes_part_in_rebalances(void **state)
{
	struct sender sender;
	struct reader readers[2];
	char topic[32];
	(void)state;

	make_topic(topic, PARTITIONS);
	sender_open(&sender, topic, MAX_WAITING);
	reader_open(&readers[0], topic, topic);
	turn_until(&store_kafka_worker, first_has_all_partitions, readers);
	kafka_consumer_pause(readers[0].consumer);
	reader_open(&readers[1], topic, topic);
	kafka_consumer_pause(readers[1].consumer);
	turn_until(&store_kafka_worker, is_shared, readers);
	send_many(&sender, 400);
	sender_turn(&sender);
	turn_for(&store_kafka_worker, 500);
	assert_int_equal(readers[0].records + readers[1].records, 0);
	kafka_consumer_resume(readers[0].consumer);
	kafka_consumer_resume(readers[1].consumer);
	for (int i = 0; i < 100 && readers[0].records + readers[1].records < 400; i++)
		turn_for(&store_kafka_worker, 50);
	assert_int_equal(readers[0].records + readers[1].records, 400);
	reader_close(&readers[1]);
	reader_close(&readers[0]);
	sender_close(&sender);
}

static void a_pause_outlasts_rebalances_and_covers_partitions_that_went_and_came_back(void **state)
{
	struct sender sender;
	struct reader readers[2];
	char topic[32];
	(void)state;

	make_topic(topic, PARTITIONS);
	sender_open(&sender, topic, MAX_WAITING);
	reader_open(&readers[0], topic, topic);
	turn_until(&store_kafka_worker, first_has_all_partitions, readers);
	kafka_consumer_pause(readers[0].consumer);
	turn_for(&store_kafka_worker, 500); /* until the pause is final */
	reader_open(&readers[1], topic, topic);
	turn_until(&store_kafka_worker, is_shared, readers);
	kafka_consumer_resume(readers[0].consumer); /* while half of its paused partitions are away */
	reader_close(&readers[1]);
	turn_until(&store_kafka_worker, first_has_all_partitions, readers);
	readers[0].stores = true;
	send_many(&sender, 400);
	turn_until_count(&store_kafka_worker, &readers[0].records, 400);

	kafka_consumer_pause(readers[0].consumer);
	turn_for(&store_kafka_worker, 500);
	reader_open(&readers[1], topic, topic);
	turn_until(&store_kafka_worker, is_shared, readers);
	reader_close(&readers[1]);
	turn_until(&store_kafka_worker, first_has_all_partitions, readers);
	send_many(&sender, 400);
	sender_turn(&sender);
	turn_for(&store_kafka_worker, 500);
	assert_int_equal(readers[0].records, 400); /* partitions that went and came back are paused like the rest */
	kafka_consumer_resume(readers[0].consumer);
	turn_until_count(&store_kafka_worker, &readers[0].records, 800);
	reader_close(&readers[0]);
	sender_close(&sender);
}

static void records_may_be_kept_and_freed_later(void **state)
{
	struct sender sender;
	struct reader reader;
	char topic[32];
	(void)state;

	make_topic(topic, 1);
	sender_open(&sender, topic, MAX_WAITING);
	reader_open(&reader, topic, topic);
	reader.keep = 100;
	send_many(&sender, 200);
	turn_until_count(&store_kafka_worker, &reader.records, 200);
	for (unsigned i = 0; i < 100; i++) {
		uint64_t number;
		assert_true(str_to_u64(reader.kept[i].value, &number));
		assert_int_equal(number, i);
		kafka_record_free(&reader.kept[i]);
	}
	reader_close(&reader);
	sender_close(&sender);
}

static void a_topic_that_is_made_later_is_found(void **state)
{
	struct sender sender;
	struct reader reader;
	char topic[32];
	(void)state;

	name_next_topic(topic);
	reader_open(&reader, topic, topic);
	turn_for(&store_kafka_worker, 1000);
	assert_int_equal(reader.assigned, 0);
	make_topic(topic, 1);
	sender_open(&sender, topic, MAX_WAITING);
	send_many(&sender, 8);
	sender_turn(&sender);
	turn_until_count(&store_kafka_worker, &reader.records, 8);
	reader_close(&reader);
	sender_close(&sender);
}

static void closing_a_consumer_without_a_broker_takes_bounded_time(void **state)
{
	struct reader joined, alone;
	char topic[32];
	(void)state;

	make_topic(topic, PARTITIONS);
	reader_open(&joined, topic, topic);
	turn_until(&store_kafka_worker, first_has_all_partitions, &joined);
	real_server_kill(&store_kafka_server);
	reader_open(&alone, topic, topic);
	uint64_t start = clock_mono_ms();
	reader_close(&alone);
	reader_close(&joined);
	assert_in_range(clock_mono_ms() - start, 0, 25000);
	real_server_start(&store_kafka_server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_consumer_goes_on_where_the_last_one_committed),
		cmocka_unit_test(partitions_move_with_their_offsets_and_no_record_comes_after),
		cmocka_unit_test(a_new_member_has_joined_only_when_it_has_its_partitions),
		cmocka_unit_test(a_paused_consumer_gets_nothing_and_misses_nothing),
		cmocka_unit_test(a_paused_consumer_still_takes_part_in_rebalances),
		cmocka_unit_test(a_pause_outlasts_rebalances_and_covers_partitions_that_went_and_came_back),
		cmocka_unit_test(records_may_be_kept_and_freed_later),
		cmocka_unit_test(a_topic_that_is_made_later_is_found),
		cmocka_unit_test(closing_a_consumer_without_a_broker_takes_bounded_time),
	};
	return cmocka_run_group_tests(tests, make_kafka_server, remove_kafka_server);
}
