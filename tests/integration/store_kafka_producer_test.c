#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store_kafka_fixture.h"

static void records_arrive_in_the_order_of_their_key(void **state)
{
	struct sender sender;
	struct reader reader;
	char topic[32];
	(void)state;

	make_topic(topic, PARTITIONS);
	sender_open(&sender, topic, MAX_WAITING);
	reader_open(&reader, topic, topic);
	send_many(&sender, 10000);
	sender_turn(&sender);
	assert_int_equal(sender.told_with[OK], 10000);
	turn_until_count(&store_kafka_worker, &reader.records, 10000);
	assert_has_all(&reader, 10000);
	assert_int_equal(reader.repeated, 0);
	assert_int_equal(reader.assigned, PARTITIONS);
	reader_close(&reader);
	sender_close(&sender);
}

static void a_break_of_idempotence_loses_and_reorders_nothing(void **state)
{
	struct sender sender;
	struct reader reader;
	char topic[32];
	(void)state;

	make_topic(topic, PARTITIONS);
	sender_open(&sender, topic, MAX_WAITING);
	reader_open(&reader, topic, topic);
	for (int round = 0; round < 4; round++) {
		send_many(&sender, 1000);
		uv_run(&store_kafka_worker.loop, UV_RUN_NOWAIT);
		kafka_producer_break(sender.producer);
		send_many(&sender, 1000); /* records given while it restarts queue behind the others */
		sender_turn(&sender);
	}
	assert_int_equal(sender.told_with[OK], 8000);
	turn_until(&store_kafka_worker, has_all, &reader);
	assert_has_all(&reader, 8000);
	reader_close(&reader);
	sender_close(&sender);
}

static void a_killed_broker_loses_and_reorders_nothing(void **state)
{
	struct sender sender;
	struct reader reader;
	char topic[32];
	(void)state;

	make_topic(topic, PARTITIONS);
	sender_open(&sender, topic, MAX_WAITING);
	reader_open(&reader, topic, topic);
	reader.stores = true;
	for (int i = 0; i < 200; i++) {
		send_many(&sender, 10);
		uv_run(&store_kafka_worker.loop, UV_RUN_NOWAIT);
		if (i == 100)
			real_server_kill(&store_kafka_server);
	}
	real_server_start(&store_kafka_server);
	uint64_t back = clock_mono_ms();
	sender_turn(&sender);
	assert_in_range(clock_mono_ms() - back, 0, 15000);
	send_many(&sender, 1000);
	sender_turn(&sender);
	assert_int_equal(sender.told_with[OK], 3000);
	turn_until(&store_kafka_worker, has_all, &reader);
	assert_has_all(&reader, 3000);
	reader_close(&reader);
	sender_close(&sender);
}

static void a_broker_that_hangs_loses_and_reorders_nothing(void **state)
{
	struct sender sender;
	struct reader reader;
	char topic[32];
	(void)state;

	make_topic(topic, PARTITIONS);
	sender_open(&sender, topic, MAX_WAITING);
	reader_open(&reader, topic, topic);
	turn_until(&store_kafka_worker, first_has_all_partitions, &reader); /* before that there are no partitions to lose */
	send_many(&sender, 1000);
	sender_turn(&sender);
	real_server_pause(&store_kafka_server);
	send_many(&sender, 1000);
	turn_for(&store_kafka_worker, 11000); /* past socket.timeout.ms: requests under way are sent again */
	turn_until_count(&store_kafka_worker, &reader.lost, PARTITIONS); /* past session.timeout.ms */
	assert_int_equal(sender.told, 1000);
	real_server_continue(&store_kafka_server);
	sender_turn(&sender);
	assert_int_equal(sender.told_with[OK], 2000);
	turn_until(&store_kafka_worker, has_all, &reader);
	assert_has_all(&reader, 2000);
	reader_close(&reader);
	sender_close(&sender);
}

static void a_record_over_the_limit_or_too_large_is_refused(void **state)
{
	struct sender sender;
	char topic[32];
	size_t size = 2u << 20;
	char *large = mem_zalloc(size);
	(void)state;

	make_topic(topic, 1);
	sender_open(&sender, topic, 100);
	assert_int_equal(kafka_produce(sender.producer, topic, STR("k"), str_of(large, size), NULL, 0, sender_told, NULL),
	                 ERR_TOO_LARGE);
	send_many(&sender, 100);
	assert_int_equal(send_one(&sender), ERR_FULL);
	sender_turn(&sender);
	assert_int_equal(send_one(&sender), OK);
	sender_turn(&sender);
	assert_int_equal(sender.told_with[OK], 101);
	sender_close(&sender);
	mem_free(large);
}

static void a_record_that_is_too_large_does_not_block_a_producer_that_restarts(void **state)
{
	struct sender sender;
	char topic[32];
	size_t size = 2u << 20;
	char *large = mem_zalloc(size);
	struct sent sent = { .sender = &sender };
	(void)state;

	make_topic(topic, 1);
	sender_open(&sender, topic, 100);
	send_many(&sender, 10);
	kafka_producer_break(sender.producer);
	send_many(&sender, 10);
	assert_int_equal(kafka_produce(sender.producer, topic, STR("k"), str_of(large, size), NULL, 0, sender_told, &sent), OK);
	send_many(&sender, 10);
	turn_until_count(&store_kafka_worker, &sender.told, 31);
	assert_int_equal(sender.told_with[OK], 30);
	assert_int_equal(sender.told_with[ERR_TOO_LARGE], 1);
	sender.taken++;
	sender_close(&sender);
	mem_free(large);
}

static void closing_delivers_what_it_can_and_reports_the_rest(void **state)
{
	struct sender sender;
	char topic[32];
	bool is_closed = false;
	(void)state;

	make_topic(topic, PARTITIONS);
	sender_open(&sender, topic, MAX_WAITING);
	send_many(&sender, 1000);
	sender_close(&sender); /* at once, nothing delivered yet */
	assert_int_equal(sender.told_with[OK], 1000);

	sender_open(&sender, topic, MAX_WAITING);
	send_many(&sender, 8);
	sender_turn(&sender);
	real_server_pause(&store_kafka_server);
	send_many(&sender, 1000);
	uint64_t start = clock_mono_ms();
	kafka_producer_close(sender.producer, 500, note_closed, &is_closed);
	turn_until_true(&store_kafka_worker, &is_closed);
	assert_in_range(clock_mono_ms() - start, 500, 10000);
	assert_int_equal(sender.told_with[ERR_CLOSED], 1000);
	assert_int_equal(sender.told, sender.taken);
	real_server_continue(&store_kafka_server);
}

static void closing_a_producer_while_it_restarts_ends_it(void **state)
{
	struct sender sender;
	char topic[32];
	(void)state;

	make_topic(topic, PARTITIONS);
	for (int turns = 0; turns < 40; turns += 5) {
		sender_open(&sender, topic, MAX_WAITING);
		send_many(&sender, 200);
		kafka_producer_break(sender.producer);
		for (int i = 0; i < turns; i++)
			uv_run(&store_kafka_worker.loop, UV_RUN_NOWAIT);
		sender_close(&sender);
		assert_int_equal(sender.told_with[OK], 200);
	}
}

static void memory_stays_bounded_while_the_broker_is_away(void **state)
{
	struct sender sender;
	char topic[32];
	(void)state;

	make_topic(topic, PARTITIONS);
	sender_open(&sender, topic, 5000);
	send_many(&sender, 8);
	sender_turn(&sender);
	real_server_kill(&store_kafka_server);
	uint64_t before = allocated_bytes();
	unsigned refused = 0;
	for (int i = 0; i < 20000; i++) {
		refused += send_one(&sender) == ERR_FULL;
		if (i % 100 == 0)
			uv_run(&store_kafka_worker.loop, UV_RUN_NOWAIT);
	}
	assert_int_equal(refused, 15000);
	assert_in_range(allocated_bytes() - MIN(before, allocated_bytes()), 0, 5000 * 1500);
	real_server_start(&store_kafka_server);
	sender_turn(&sender);
	assert_int_equal(sender.told_with[OK], 5008);
	sender_close(&sender);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_arrive_in_the_order_of_their_key),
		cmocka_unit_test(a_break_of_idempotence_loses_and_reorders_nothing),
		cmocka_unit_test(a_record_over_the_limit_or_too_large_is_refused),
		cmocka_unit_test(a_record_that_is_too_large_does_not_block_a_producer_that_restarts),
		cmocka_unit_test(closing_delivers_what_it_can_and_reports_the_rest),
		cmocka_unit_test(closing_a_producer_while_it_restarts_ends_it),
		cmocka_unit_test(a_killed_broker_loses_and_reorders_nothing),
		cmocka_unit_test(a_broker_that_hangs_loses_and_reorders_nothing),
		cmocka_unit_test(memory_stays_bounded_while_the_broker_is_away),
	};
	return cmocka_run_group_tests(tests, make_kafka_server, remove_kafka_server);
}
