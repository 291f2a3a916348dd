#include "store_kafka_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/clock.h"

struct real_server store_kafka_server = { .kind = REAL_KAFKA };
struct worker store_kafka_worker;
static unsigned topic_count;

int make_kafka_server(void **state)
{
	(void)state;
	real_server_make(&store_kafka_server);
	return worker_init(&store_kafka_worker, "test");
}

int remove_kafka_server(void **state)
{
	(void)state;
	real_server_remove(&store_kafka_server);
	end_worker(&store_kafka_worker);
	return 0;
}

void name_next_topic(char name[32])
{
	snprintf(name, 32, "test-%u", topic_count + 1);
}

void make_topic(char name[32], int partitions)
{
	name_next_topic(name);
	topic_count++;
	const struct kafka_topic topic = { .name = name, .partitions = partitions, .replication = 1 };
	assert_int_equal(kafka_ensure_topics(store_kafka_server.uri, &topic, 1, 20000), OK);
}

static struct sent sent_records[30000];

void sender_told(void *arg, err_t err)
{
	struct sent *sent = arg;

	assert_false(sent->was_told);
	sent->was_told = true;
	sent->sender->told++;
	sent->sender->told_with[err]++;
}

void sender_open(struct sender *sender, const char *topic, unsigned max_waiting)
{
	const struct kafka_producer_options options = {
		.brokers = store_kafka_server.uri, .client_id = "test", .max_waiting = max_waiting, .max_waiting_bytes = 64u << 20,
	};

	*sender = (struct sender){ .topic = topic };
	memset(sent_records, 0, sizeof(sent_records));
	assert_int_equal(kafka_producer_new(&sender->producer, &store_kafka_worker, &options), OK);
}

err_t send_one(struct sender *sender)
{
	struct sent *sent = &sent_records[sender->taken];
	char key[12], value[12];

	sent->sender = sender;
	snprintf(key, sizeof(key), "key-%u", sender->taken % KEYS);
	snprintf(value, sizeof(value), "%u", sender->taken);
	const struct kafka_header headers[] = { { "traceparent", STR("00-1-2-01") } };
	err_t err = kafka_produce(sender->producer, sender->topic, str_from(key), str_from(value), headers, 1, sender_told, sent);
	sender->taken += err == OK;
	return err;
}

void send_many(struct sender *sender, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(send_one(sender), OK);
}

void sender_turn(struct sender *sender)
{
	turn_until_count(&store_kafka_worker, &sender->told, sender->taken);
	assert_int_equal(kafka_producer_waiting(sender->producer), 0);
}

void sender_close(struct sender *sender)
{
	bool is_closed = false;

	kafka_producer_close(sender->producer, 10000, note_closed, &is_closed);
	assert_int_equal(kafka_produce(sender->producer, sender->topic, STR("k"), STR("v"), NULL, 0, sender_told, NULL),
	                 ERR_CLOSED);
	turn_until_true(&store_kafka_worker, &is_closed);
	assert_int_equal(sender->told, sender->taken);
}

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

void reader_open(struct reader *reader, const char *topic, const char *group)
{
	const struct kafka_consumer_options options = {
		.brokers = store_kafka_server.uri, .client_id = "test", .group = group, .topic = topic, .commit_interval_ms = 200,
	};

	*reader = (struct reader){ .consumer = NULL };
	for (int k = 0; k < KEYS; k++)
		reader->last_of_key[k] = -1;
	assert_int_equal(kafka_consumer_new(&reader->consumer, &store_kafka_worker, &options, &handlers, reader), OK);
}

void reader_close(struct reader *reader)
{
	bool is_closed = false;

	kafka_consumer_close(reader->consumer, note_closed, &is_closed);
	unsigned records = reader->records;
	turn_until_true(&store_kafka_worker, &is_closed);
	assert_int_equal(reader->records, records);
	assert_int_equal(reader->revoked, reader->assigned);
}

void assert_has_all(const struct reader *reader, unsigned count)
{
	for (unsigned k = 0; k < KEYS; k++)
		assert_int_equal(reader->last_of_key[k], count - KEYS + k);
}

bool has_all(void *arg)
{
	struct reader *reader = arg;

	for (unsigned k = 0; k < KEYS; k++) {
		if (reader->last_of_key[k] < (int64_t)sent_records[0].sender->taken - KEYS + k)
			return false;
	}
	return true;
}

bool first_has_all_partitions(void *arg)
{
	struct reader *readers = arg;

	return readers[0].assigned - readers[0].revoked == PARTITIONS;
}

bool is_shared(void *arg)
{
	struct reader *readers = arg;

	return readers[0].assigned - readers[0].revoked == PARTITIONS / 2 &&
	       readers[1].assigned - readers[1].revoked == PARTITIONS / 2;
}
