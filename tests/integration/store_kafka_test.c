#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "servers.h"
#include "store/kafka/kafka_producer.h"
#include "store_fixture.h"

#define PARTITIONS 4
#define KEYS 8
#define MAX_WAITING 20000

static struct real_server server = { .kind = REAL_KAFKA };
static struct worker worker;
static unsigned topic_count;

/* A topic of the test's own. */
static void make_topic(char name[32], int partitions)
{
	snprintf(name, 32, "test-%u", ++topic_count);
	const struct kafka_topic topic = { .name = name, .partitions = partitions, .replication = 1 };
	assert_int_equal(kafka_ensure_topics(server.uri, &topic, 1, 20000), OK);
}

/* ---- producing ---- */

struct sender {
	struct kafka_producer *producer;
	const char *topic;
	unsigned taken, told;
	unsigned told_with[ERR_COUNT];
};

struct sent {
	struct sender *sender;
	bool was_told;
};

static struct sent sent_records[30000];

static void on_delivered(void *arg, err_t err)
{
	struct sent *sent = arg;

	assert_false(sent->was_told);
	sent->was_told = true;
	sent->sender->told++;
	sent->sender->told_with[err]++;
}

static void sender_open(struct sender *sender, const char *topic, unsigned max_waiting)
{
	const struct kafka_producer_options options = {
		.brokers = server.uri, .client_id = "test", .max_waiting = max_waiting, .max_waiting_bytes = 64u << 20,
	};

	*sender = (struct sender){ .topic = topic };
	memset(sent_records, 0, sizeof(sent_records));
	assert_int_equal(kafka_producer_new(&sender->producer, &worker, &options), OK);
}

/* Record n of its sender has key n % KEYS and value n. */
static err_t send_one(struct sender *sender)
{
	struct sent *sent = &sent_records[sender->taken];
	char key[12], value[12];

	sent->sender = sender;
	snprintf(key, sizeof(key), "key-%u", sender->taken % KEYS);
	snprintf(value, sizeof(value), "%u", sender->taken);
	const struct kafka_header headers[] = { { "traceparent", STR("00-1-2-01") } };
	err_t err = kafka_produce(sender->producer, sender->topic, str_from(key), str_from(value), headers, 1, on_delivered, sent);
	sender->taken += err == OK;
	return err;
}

static void send_many(struct sender *sender, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(send_one(sender), OK);
}

static void sender_turn(struct sender *sender)
{
	turn_until_count(&worker, &sender->told, sender->taken);
	assert_int_equal(kafka_producer_waiting(sender->producer), 0);
}

static void sender_close(struct sender *sender)
{
	bool is_closed = false;

	kafka_producer_close(sender->producer, 10000, note_closed, &is_closed);
	assert_int_equal(kafka_produce(sender->producer, sender->topic, STR("k"), STR("v"), NULL, 0, on_delivered, NULL),
	                 ERR_CLOSED);
	turn_until_true(&worker, &is_closed);
	assert_int_equal(sender->told, sender->taken);
}

/* ---- consuming ---- */

struct reader {
	struct kafka_consumer *consumer;
	unsigned assigned, revoked, lost; /* calls */
	bool is_ours[PARTITIONS];
	int64_t assigned_at[PARTITIONS];
	int64_t next_offset[PARTITIONS];
	unsigned records;
	int64_t last_of_key[KEYS]; /* the highest number seen */
	unsigned repeated;
	bool stores, stores_at_revoke;
	unsigned pause_at; /* pauses itself after that many records */
	struct kafka_record kept[100];
	unsigned kept_count, keep;
};

static void on_record(void *arg, struct kafka_record *record)
{
	struct reader *reader = arg;
	uint64_t number;

	assert_true(reader->is_ours[record->partition]);
	assert_true(record->offset >= reader->next_offset[record->partition]);
	reader->next_offset[record->partition] = record->offset + 1;
	assert_true(str_to_u64(record->value, &number));
	assert_true(record->key.len == 5 && record->key.ptr[4] == (char)('0' + number % KEYS));
	assert_in_range(record->time_ms, clock_wall_ms() - 600000, clock_wall_ms() + 1000);
	/* First copies are in order, without a hole. */
	int64_t *last = &reader->last_of_key[number % KEYS];
	if ((int64_t)number > *last) {
		assert_true(*last < 0 || (int64_t)number == *last + KEYS);
		*last = (int64_t)number;
	} else {
		reader->repeated++;
	}
	reader->records++;
	if (reader->stores)
		kafka_store_offset(reader->consumer, record->partition, record->offset + 1);
	if (reader->pause_at && reader->records == reader->pause_at)
		kafka_consumer_pause(reader->consumer);
	if (reader->kept_count < reader->keep)
		reader->kept[reader->kept_count++] = *record;
	else
		kafka_record_free(record);
}

static void on_assigned(void *arg, int32_t partition, int64_t offset)
{
	struct reader *reader = arg;

	assert_false(reader->is_ours[partition]);
	reader->is_ours[partition] = true;
	reader->assigned_at[partition] = reader->next_offset[partition] = offset;
	reader->assigned++;
}

static void on_revoked(void *arg, int32_t partition, bool lost)
{
	struct reader *reader = arg;

	assert_true(reader->is_ours[partition]);
	reader->is_ours[partition] = false;
	reader->revoked++;
	reader->lost += lost;
	if (reader->stores_at_revoke)
		kafka_store_offset(reader->consumer, partition, reader->next_offset[partition]);
}

static const struct kafka_consumer_handlers handlers = { on_record, on_assigned, on_revoked };

static void reader_open(struct reader *reader, const char *topic, const char *group)
{
	const struct kafka_consumer_options options = {
		.brokers = server.uri, .client_id = "test", .group = group, .topic = topic, .commit_interval_ms = 200,
	};

	*reader = (struct reader){ .consumer = NULL };
	for (int k = 0; k < KEYS; k++)
		reader->last_of_key[k] = -1;
	assert_int_equal(kafka_consumer_new(&reader->consumer, &worker, &options, &handlers, reader), OK);
}

static void reader_close(struct reader *reader)
{
	bool is_closed = false;

	kafka_consumer_close(reader->consumer, note_closed, &is_closed);
	unsigned records = reader->records;
	turn_until_true(&worker, &is_closed);
	assert_int_equal(reader->records, records);
	assert_int_equal(reader->revoked, reader->assigned);
}

/* Every record that was sent is there, in order. */
static void assert_has_all(const struct reader *reader, unsigned count)
{
	for (unsigned k = 0; k < KEYS; k++)
		assert_int_equal(reader->last_of_key[k], count - KEYS + k);
}

static bool has_all(void *arg)
{
	struct reader *reader = arg;

	for (unsigned k = 0; k < KEYS; k++) {
		if (reader->last_of_key[k] < (int64_t)sent_records[0].sender->taken - KEYS + k)
			return false;
	}
	return true;
}

static bool first_has_all_partitions(void *arg)
{
	struct reader *readers = arg;

	return readers[0].assigned - readers[0].revoked == PARTITIONS;
}

/* ---- the way through ---- */

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
	turn_until_count(&worker, &reader.records, 10000);
	assert_has_all(&reader, 10000);
	assert_int_equal(reader.repeated, 0);
	assert_int_equal(reader.assigned, PARTITIONS);
	reader_close(&reader);
	sender_close(&sender);
}

static void idempotence_that_breaks_loses_and_overtakes_nothing(void **state)
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
		uv_run(&worker.loop, UV_RUN_NOWAIT);
		kafka_producer_break(sender.producer);
		send_many(&sender, 1000); /* what comes while it starts anew stands behind */
		sender_turn(&sender);
	}
	assert_int_equal(sender.told_with[OK], 8000);
	turn_until(&worker, has_all, &reader);
	assert_has_all(&reader, 8000);
	reader_close(&reader);
	sender_close(&sender);
}

static void a_killed_broker_loses_and_overtakes_nothing(void **state)
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
		uv_run(&worker.loop, UV_RUN_NOWAIT);
		if (i == 100)
			real_server_kill(&server);
	}
	real_server_start(&server);
	uint64_t back = clock_mono_ms();
	sender_turn(&sender);
	assert_in_range(clock_mono_ms() - back, 0, 15000);
	send_many(&sender, 1000);
	sender_turn(&sender);
	assert_int_equal(sender.told_with[OK], 3000);
	turn_until(&worker, has_all, &reader);
	assert_has_all(&reader, 3000);
	reader_close(&reader);
	sender_close(&sender);
}

static void a_broker_that_hangs_loses_and_overtakes_nothing(void **state)
{
	struct sender sender;
	struct reader reader;
	char topic[32];
	(void)state;

	make_topic(topic, PARTITIONS);
	sender_open(&sender, topic, MAX_WAITING);
	reader_open(&reader, topic, topic);
	turn_until(&worker, first_has_all_partitions, &reader); /* or there would be none to lose */
	send_many(&sender, 1000);
	sender_turn(&sender);
	real_server_pause(&server);
	send_many(&sender, 1000);
	turn_for(&worker, 11000); /* past socket.timeout.ms: what was under way is sent again */
	turn_until_count(&worker, &reader.lost, PARTITIONS); /* past session.timeout.ms */
	assert_int_equal(sender.told, 1000);
	real_server_continue(&server);
	sender_turn(&sender);
	assert_int_equal(sender.told_with[OK], 2000);
	turn_until(&worker, has_all, &reader);
	assert_has_all(&reader, 2000);
	reader_close(&reader);
	sender_close(&sender);
}

/* ---- the producer's limits and end ---- */

static void what_is_over_the_limit_or_too_large_is_not_taken(void **state)
{
	struct sender sender;
	char topic[32];
	size_t size = 2u << 20;
	char *large = mem_zalloc(size);
	(void)state;

	make_topic(topic, 1);
	sender_open(&sender, topic, 100);
	assert_int_equal(kafka_produce(sender.producer, topic, STR("k"), str_of(large, size), NULL, 0, on_delivered, NULL),
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

static void what_is_too_large_does_not_hold_up_a_producer_that_starts_anew(void **state)
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
	assert_int_equal(kafka_produce(sender.producer, topic, STR("k"), str_of(large, size), NULL, 0, on_delivered, &sent), OK);
	send_many(&sender, 10);
	turn_until_count(&worker, &sender.told, 31);
	assert_int_equal(sender.told_with[OK], 30);
	assert_int_equal(sender.told_with[ERR_TOO_LARGE], 1);
	sender.taken++;
	sender_close(&sender);
	mem_free(large);
}

static void closing_delivers_what_it_can_and_tells_of_the_rest(void **state)
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
	real_server_pause(&server);
	send_many(&sender, 1000);
	uint64_t start = clock_mono_ms();
	kafka_producer_close(sender.producer, 500, note_closed, &is_closed);
	turn_until_true(&worker, &is_closed);
	assert_in_range(clock_mono_ms() - start, 500, 10000);
	assert_int_equal(sender.told_with[ERR_CLOSED], 1000);
	assert_int_equal(sender.told, sender.taken);
	real_server_continue(&server);
}

static void closing_a_producer_that_starts_anew_ends_it(void **state)
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
			uv_run(&worker.loop, UV_RUN_NOWAIT);
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
	real_server_kill(&server);
	uint64_t before = allocated_bytes();
	unsigned refused = 0;
	for (int i = 0; i < 20000; i++) {
		refused += send_one(&sender) == ERR_FULL;
		if (i % 100 == 0)
			uv_run(&worker.loop, UV_RUN_NOWAIT);
	}
	assert_int_equal(refused, 15000);
	assert_in_range(allocated_bytes() - MIN(before, allocated_bytes()), 0, 5000 * 1500);
	real_server_start(&server);
	sender_turn(&sender);
	assert_int_equal(sender.told_with[OK], 5008);
	sender_close(&sender);
}

/* ---- groups ---- */

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
	turn_until_count(&worker, &reader.records, 96);
	assert_int_equal(reader.assigned_at[0], 0);
	turn_for(&worker, 100);
	assert_int_equal(kafka_consumer_lag(reader.consumer), 96);
	assert_int_equal(kafka_consumer_untaken(reader.consumer), 0);
	kafka_store_offset(reader.consumer, 0, 40);
	kafka_store_offset(reader.consumer, 0, 30); /* never backward */
	kafka_store_offset(reader.consumer, 3, 7); /* not ours */
	turn_for(&worker, 600);
	assert_int_equal(kafka_consumer_lag(reader.consumer), 56);
	kafka_store_offset(reader.consumer, 0, 56);
	reader_close(&reader);

	reader_open(&reader, topic, topic);
	turn_until_count(&worker, &reader.records, 40);
	assert_int_equal(reader.assigned_at[0], 56);
	assert_int_equal(reader.next_offset[0], 96);
	reader_close(&reader);
	sender_close(&sender);
}

static bool is_shared(void *arg)
{
	struct reader *readers = arg;

	return readers[0].assigned - readers[0].revoked == PARTITIONS / 2 &&
	       readers[1].assigned - readers[1].revoked == PARTITIONS / 2;
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
	readers[0].stores_at_revoke = true; /* only then: what is stored in the call itself counts */
	send_many(&sender, 4000);
	turn_until_count(&worker, &readers[0].records, 4000);
	/* A second one joins while records flow; on_record() sees to it that none comes after a revocation. */
	reader_open(&readers[1], topic, topic);
	readers[1].stores = true;
	for (int i = 0; i < 50; i++) {
		send_many(&sender, 40);
		turn_for(&worker, 10);
	}
	turn_until(&worker, is_shared, readers);
	for (int p = 0; p < PARTITIONS; p++) {
		if (readers[1].is_ours[p])
			assert_int_equal(readers[1].assigned_at[p], readers[0].next_offset[p]);
	}
	assert_int_equal(readers[0].lost, 0);
	turn_until_count(&worker, &sender.told, sender.taken);
	turn_for(&worker, 300);
	assert_int_equal(readers[0].records + readers[1].records, sender.taken);
	assert_int_equal(readers[0].repeated + readers[1].repeated, 0);
	/* It leaves: the first one takes all over where it stopped. */
	int64_t stopped_at[PARTITIONS];
	memcpy(stopped_at, readers[1].next_offset, sizeof(stopped_at));
	bool was_second[PARTITIONS];
	memcpy(was_second, readers[1].is_ours, sizeof(was_second));
	reader_close(&readers[1]);
	turn_until(&worker, first_has_all_partitions, readers);
	for (int p = 0; p < PARTITIONS; p++) {
		if (was_second[p])
			assert_int_equal(readers[0].assigned_at[p], stopped_at[p]);
	}
	reader_close(&readers[0]);
	sender_close(&sender);
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
	turn_until_count(&worker, &reader.records, 100);
	turn_for(&worker, 100); /* shorter than what makes it final */
	assert_int_equal(reader.records, 100);
	reader.pause_at = 1000;
	kafka_consumer_resume(reader.consumer);
	turn_until_count(&worker, &reader.records, 1000);
	turn_for(&worker, 1000); /* longer */
	assert_int_equal(reader.records, 1000);
	assert_in_range(kafka_consumer_untaken(reader.consumer), 1, 4000);
	kafka_consumer_pause(reader.consumer); /* again, to no effect */
	kafka_consumer_resume(reader.consumer);
	kafka_consumer_resume(reader.consumer);
	turn_until_count(&worker, &reader.records, 5000);
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
	turn_until(&worker, first_has_all_partitions, readers);
	kafka_consumer_pause(readers[0].consumer);
	reader_open(&readers[1], topic, topic);
	kafka_consumer_pause(readers[1].consumer);
	turn_until(&worker, is_shared, readers);
	send_many(&sender, 400);
	sender_turn(&sender);
	turn_for(&worker, 500);
	assert_int_equal(readers[0].records + readers[1].records, 0);
	kafka_consumer_resume(readers[0].consumer);
	kafka_consumer_resume(readers[1].consumer);
	for (int i = 0; i < 100 && readers[0].records + readers[1].records < 400; i++)
		turn_for(&worker, 50);
	assert_int_equal(readers[0].records + readers[1].records, 400);
	reader_close(&readers[1]);
	reader_close(&readers[0]);
	sender_close(&sender);
}

static void a_pause_lasts_over_rebalances_and_ends_for_partitions_that_were_away_meanwhile(void **state)
{
	struct sender sender;
	struct reader readers[2];
	char topic[32];
	(void)state;

	make_topic(topic, PARTITIONS);
	sender_open(&sender, topic, MAX_WAITING);
	reader_open(&readers[0], topic, topic);
	turn_until(&worker, first_has_all_partitions, readers);
	kafka_consumer_pause(readers[0].consumer);
	turn_for(&worker, 500); /* until the pause is final */
	reader_open(&readers[1], topic, topic);
	turn_until(&worker, is_shared, readers);
	kafka_consumer_resume(readers[0].consumer); /* while half of what it paused is away */
	reader_close(&readers[1]);
	turn_until(&worker, first_has_all_partitions, readers);
	readers[0].stores = true;
	send_many(&sender, 400);
	turn_until_count(&worker, &readers[0].records, 400);

	kafka_consumer_pause(readers[0].consumer);
	turn_for(&worker, 500);
	reader_open(&readers[1], topic, topic);
	turn_until(&worker, is_shared, readers);
	reader_close(&readers[1]);
	turn_until(&worker, first_has_all_partitions, readers);
	send_many(&sender, 400);
	sender_turn(&sender);
	turn_for(&worker, 500);
	assert_int_equal(readers[0].records, 400); /* what went and came back is paused like the rest */
	kafka_consumer_resume(readers[0].consumer);
	turn_until_count(&worker, &readers[0].records, 800);
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
	turn_until_count(&worker, &reader.records, 200);
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

	snprintf(topic, sizeof(topic), "test-%u", topic_count + 1);
	reader_open(&reader, topic, topic);
	turn_for(&worker, 1000);
	assert_int_equal(reader.assigned, 0);
	make_topic(topic, 1);
	sender_open(&sender, topic, MAX_WAITING);
	send_many(&sender, 8);
	sender_turn(&sender);
	turn_until_count(&worker, &reader.records, 8);
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
	turn_until(&worker, first_has_all_partitions, &joined);
	real_server_kill(&server);
	reader_open(&alone, topic, topic);
	uint64_t start = clock_mono_ms();
	reader_close(&alone);
	reader_close(&joined);
	assert_in_range(clock_mono_ms() - start, 0, 25000);
	real_server_start(&server);
}

/* ---- checks and topics ---- */

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

	kafka_probe_topic(&worker, brokers, topic, 1000, note_err, &err);
	assert_int_equal(err, ERR_COUNT);
	turn_until(&worker, is_known, &err);
	return err;
}

static void a_probe_tells_whether_a_topic_can_be_used(void **state)
{
	char topic[32];
	(void)state;

	make_topic(topic, 2);
	assert_int_equal(probe(server.uri, topic), OK);
	assert_int_equal(probe(server.uri, "missing"), ERR_UNAVAILABLE);
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

	assert_int_equal(kafka_ensure_topics(server.uri, topics, ARRAY_LEN(topics), 10000), OK);
	assert_int_equal(kafka_ensure_topics(server.uri, more, ARRAY_LEN(more), 10000), OK);
	assert_int_equal(probe(server.uri, "made-3"), OK);
	assert_int_equal(kafka_ensure_topics(server.uri, bad, 1, 10000), ERR_BAD_CONFIG);
	assert_int_equal(kafka_ensure_topics(server.uri, too_many_copies, 1, 1000), ERR_UNAVAILABLE);
	assert_int_equal(kafka_ensure_topics("127.0.0.1:1", topics, 1, 500), ERR_UNAVAILABLE);
}

static int start_server(void **state)
{
	(void)state;
	real_server_make(&server);
	return worker_init(&worker, "test");
}

static int remove_server(void **state)
{
	(void)state;
	real_server_remove(&server);
	end_worker(&worker);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_arrive_in_the_order_of_their_key),
		cmocka_unit_test(idempotence_that_breaks_loses_and_overtakes_nothing),
		cmocka_unit_test(what_is_over_the_limit_or_too_large_is_not_taken),
		cmocka_unit_test(what_is_too_large_does_not_hold_up_a_producer_that_starts_anew),
		cmocka_unit_test(closing_delivers_what_it_can_and_tells_of_the_rest),
		cmocka_unit_test(closing_a_producer_that_starts_anew_ends_it),
		cmocka_unit_test(a_consumer_goes_on_where_the_last_one_committed),
		cmocka_unit_test(partitions_move_with_their_offsets_and_no_record_comes_after),
		cmocka_unit_test(a_paused_consumer_gets_nothing_and_misses_nothing),
		cmocka_unit_test(a_paused_consumer_still_takes_part_in_rebalances),
		cmocka_unit_test(a_pause_lasts_over_rebalances_and_ends_for_partitions_that_were_away_meanwhile),
		cmocka_unit_test(records_may_be_kept_and_freed_later),
		cmocka_unit_test(a_topic_that_is_made_later_is_found),
		cmocka_unit_test(a_probe_tells_whether_a_topic_can_be_used),
		cmocka_unit_test(topics_are_made_once),
		cmocka_unit_test(a_killed_broker_loses_and_overtakes_nothing),
		cmocka_unit_test(a_broker_that_hangs_loses_and_overtakes_nothing),
		cmocka_unit_test(memory_stays_bounded_while_the_broker_is_away),
		cmocka_unit_test(closing_a_consumer_without_a_broker_takes_bounded_time),
	};
	return cmocka_run_group_tests(tests, start_server, remove_server);
}
