#ifndef SKEIN_TESTS_STORE_KAFKA_FIXTURE_H
#define SKEIN_TESTS_STORE_KAFKA_FIXTURE_H

#include "servers.h"
#include "store/kafka/kafka.h"
#include "store/kafka/kafka_producer.h"
#include "store_fixture.h"

/*
 * A Kafka broker of the program's own, a producer whose deliveries are counted and told exactly once, and consumers that
 * check what they get: in the order of each key, without a hole, and of their own partitions only.
 */

#define PARTITIONS 4
#define KEYS 8
#define MAX_WAITING 20000

extern struct real_server store_kafka_server;
extern struct worker store_kafka_worker;

/* The setup and teardown of a whole program: the broker and the worker. */
int make_kafka_server(void **state);
int remove_kafka_server(void **state);

/* Makes a topic of the test's own, and the name that the next call gives. */
void make_topic(char name[32], int partitions);
void name_next_topic(char name[32]);

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

/* The callback of kafka_produce(): its argument is a struct sent. */
void sender_told(void *arg, err_t err);

/* Only one sender is open at a time. */
void sender_open(struct sender *sender, const char *topic, unsigned max_waiting);
void sender_close(struct sender *sender);

/* Record n of its sender has key n % KEYS and value n. */
err_t send_one(struct sender *sender);
void send_many(struct sender *sender, unsigned count);

/* Turns the loop until all that was sent is told of. */
void sender_turn(struct sender *sender);

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

void reader_open(struct reader *reader, const char *topic, const char *group);
void reader_close(struct reader *reader);

/* The first `count` records of the sender are there, in order. */
void assert_has_all(const struct reader *reader, unsigned count);

/* For turn_until(): the reader has all that was sent; the first of two readers has all partitions; both have two. */
bool has_all(void *arg);
bool first_has_all_partitions(void *arg);
bool is_shared(void *arg);

#endif
