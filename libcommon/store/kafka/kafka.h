#ifndef SKEIN_STORE_KAFKA_KAFKA_H
#define SKEIN_STORE_KAFKA_KAFKA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text/str.h"
#include "loop/worker.h"

/*
 * Kafka through librdkafka. All functions are called on the worker's thread, and
 * all callbacks run there. librdkafka's own threads only write to our log.
 *
 * A rebalance blocks the loop: it asks the brokers for committed offsets, or
 * commits, and waits for the answer. That takes a few milliseconds, and at most
 * a second when they do not answer.
 */

/*
 * ---- producer: acks=all, idempotent; it retries without end and keeps the order of its records ----
 *
 * When the idempotence breaks (the brokers have lost the producer's state), records whose fate is unknown are produced again.
 * Only then a record may be in the log twice.
 */

struct kafka_producer;

struct kafka_producer_options {
	const char *brokers;
	const char *client_id;
	unsigned max_waiting; /* records accepted and not acknowledged; more get ERR_FULL */
	uint64_t max_waiting_bytes;
	/*
	 * Topics to be known from the start; they live as long as the producer. The first record for another topic waits for up
	 * to a second: librdkafka looks once a second which topics it does not know. NULL ends the list; may be NULL itself.
	 */
	const char *const *topics;
};

/* OK, or the reason why the record will never be delivered (too large, purged at close). Comes after kafka_produce(). */
typedef void (*kafka_delivered)(void *arg, err_t err);

struct kafka_header {
	const char *name;
	struct str value;
};

err_t kafka_producer_new(struct kafka_producer **out, struct worker *worker,
                         const struct kafka_producer_options *options) MUST_CHECK;

/*
 * Copies key, value and headers. The key decides the partition (murmur2, as in Java's client). On an error the record was
 * not accepted and `delivered` does not come: ERR_FULL (too many records wait), ERR_TOO_LARGE, ERR_CLOSED (closing). A record
 * for a topic that does not exist waits until it exists.
 */
err_t kafka_produce(struct kafka_producer *producer, const char *topic, struct str key, struct str value,
                    const struct kafka_header *headers, unsigned header_count,
                    kafka_delivered delivered, void *arg) MUST_CHECK;

/* Records accepted and not acknowledged. */
unsigned kafka_producer_waiting(const struct kafka_producer *producer);

/* Flushes for up to timeout_ms in the background, then purges. `closed` comes after the last `delivered`. */
void kafka_producer_close(struct kafka_producer *producer, uint64_t timeout_ms, void (*closed)(void *arg), void *arg);

/* ---- consumer of a group: cooperative rebalances; the owner says which offsets may be committed ---- */

struct kafka_consumer;

struct kafka_record {
	int32_t partition;
	int64_t offset;
	int64_t time_ms;
	struct str key, value; /* valid until kafka_record_free() */
	void *handle;
};

struct kafka_consumer_handlers {
	/* One record, in the order of its partition. The callee owns it: kafka_record_free(). */
	void (*record)(void *arg, struct kafka_record *record);
	/* The group gave a partition. Its records follow, from `offset` (the committed one) on. */
	void (*assigned)(void *arg, int32_t partition, int64_t offset);
	/*
	 * The group takes the partition away; no record of it follows. An offset that was stored before or during this call
	 * is committed, unless `lost`: then the member was expelled, or the log was lost.
	 */
	void (*revoked)(void *arg, int32_t partition, bool lost);
};

struct kafka_consumer_options {
	const char *brokers;
	const char *client_id;
	const char *group;
	const char *topic;
	uint64_t commit_interval_ms; /* stored offsets are committed this often */
};

err_t kafka_consumer_new(struct kafka_consumer **out, struct worker *worker, const struct kafka_consumer_options *options,
                         const struct kafka_consumer_handlers *handlers, void *arg) MUST_CHECK;

void kafka_record_free(struct kafka_record *record);

/* Fills `headers` with up to `max` of the record's headers, valid as long as the record; returns their number. */
unsigned kafka_record_headers(const struct kafka_record *record, struct kafka_header *headers, unsigned max);

/* Every record below `next_offset` was processed and may be committed. Ignored for a partition that was taken away. */
void kafka_store_offset(struct kafka_consumer *consumer, int32_t partition, int64_t next_offset);

/* While paused no record is handed over. Rebalances go on; librdkafka's buffers are bounded. Both may be called repeatedly. */
void kafka_consumer_pause(struct kafka_consumer *consumer);
void kafka_consumer_resume(struct kafka_consumer *consumer);

/* The group has given partitions, or has had none for us for 2 s: from here on no record waits because of this member. */
bool kafka_consumer_has_joined(const struct kafka_consumer *consumer);

/* Records between the committed offsets and the ends of our partitions, as librdkafka last saw them. */
int64_t kafka_consumer_lag(const struct kafka_consumer *consumer);

/* Records of our partitions that were not handed over yet, as librdkafka last saw their ends. */
int64_t kafka_consumer_untaken(const struct kafka_consumer *consumer);

/* Revokes all partitions, commits the stored offsets, leaves the group, frees the consumer. No record follows. */
void kafka_consumer_close(struct kafka_consumer *consumer, void (*closed)(void *arg), void *arg);

/* ---- checks and topics ---- */

/* Asks a broker for the topic's metadata, on a thread of libuv's pool. OK if every partition has a leader. For /readyz. */
void kafka_probe_topic(struct worker *worker, const char *brokers, const char *topic, uint64_t timeout_ms,
                       void (*done)(void *arg, err_t err), void *arg);

struct kafka_topic {
	const char *name;
	int partitions;
	int replication;
	const char *config; /* "retention.ms=604800000,min.insync.replicas=1", or NULL */
};

/* Creates the topics that do not exist and waits for their leaders. Blocks: only for work before the loop runs. */
err_t kafka_ensure_topics(const char *brokers, const struct kafka_topic *topics, size_t count, uint64_t timeout_ms) MUST_CHECK;

#endif
