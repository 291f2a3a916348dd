#ifndef SKEIN_STORE_KAFKA_KAFKA_H
#define SKEIN_STORE_KAFKA_KAFKA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text/str.h"
#include "loop/worker.h"

/*
 * Kafka through librdkafka, its threads kept behind the worker's loop: all
 * callbacks come on the worker's thread. Thread of all functions: the worker's.
 *
 * A rebalance asks the brokers on the spot, for the committed offsets of what
 * is given and to commit what is taken: a few milliseconds of the loop, up to a
 * second when they do not answer.
 */

/*
 * ---- producer: acks=all, idempotent; retries without end, so that what it took is delivered in order ----
 *
 * When the idempotence itself breaks (the brokers forgot us), records whose fate is unknown are produced once more: then,
 * and only then, a record may be there twice.
 */

struct kafka_producer;

struct kafka_producer_options {
	const char *brokers;
	const char *client_id;
	unsigned max_waiting; /* records taken and not acknowledged; then ERR_FULL */
	uint64_t max_waiting_bytes;
};

/* `err`: OK, or why this record can never be delivered (too large, purged at close). Any time after produce. */
typedef void (*kafka_delivered)(void *arg, err_t err);

struct kafka_header {
	const char *name;
	struct str value;
};

err_t kafka_producer_new(struct kafka_producer **out, struct worker *worker,
                         const struct kafka_producer_options *options) MUST_CHECK;

/*
 * Copies key, value and headers. The key picks the partition (murmur2, as Java's client does). An error means that the
 * record was not taken: ERR_FULL when too much is waiting, ERR_TOO_LARGE, ERR_CLOSED while closing. A record for a topic
 * that does not exist waits until it does.
 */
err_t kafka_produce(struct kafka_producer *producer, const char *topic, struct str key, struct str value,
                    const struct kafka_header *headers, unsigned header_count,
                    kafka_delivered delivered, void *arg) MUST_CHECK;

unsigned kafka_producer_waiting(const struct kafka_producer *producer);

/* Flushes for up to timeout_ms without blocking the loop, then purges; `closed` comes after the last `delivered`. */
void kafka_producer_close(struct kafka_producer *producer, uint64_t timeout_ms, void (*closed)(void *arg), void *arg);

/* ---- consumer of a group: cooperative rebalances, offsets committed by hand ---- */

struct kafka_consumer;

struct kafka_record {
	int32_t partition;
	int64_t offset;
	int64_t time_ms;
	struct str key, value; /* valid until kafka_record_free() */
	void *handle;
};

struct kafka_consumer_handlers {
	/* One record, in the order of its partition; the callee frees it when it is done with it. */
	void (*record)(void *arg, struct kafka_record *record);
	/* The group gave a partition: records follow from `offset` (the committed one). */
	void (*assigned)(void *arg, int32_t partition, int64_t offset);
	/*
	 * The group takes a partition away (or the member was expelled: `lost`). What was stored with
	 * kafka_store_offset() before or in this call is committed, unless lost. Records of it come no more.
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

/* The record's headers, at most `max`, valid as long as it is; returns how many. */
unsigned kafka_record_headers(const struct kafka_record *record, struct kafka_header *headers, unsigned max);

/* Everything below `next_offset` of the partition is done with. Ignored for a partition that is not ours any more. */
void kafka_store_offset(struct kafka_consumer *consumer, int32_t partition, int64_t next_offset);

/* While paused no record is handed over; librdkafka's own buffers are bounded. Idempotent. Rebalances go on. */
void kafka_consumer_pause(struct kafka_consumer *consumer);
void kafka_consumer_resume(struct kafka_consumer *consumer);

/* The group has said once which partitions are ours, none perhaps. */
bool kafka_consumer_has_joined(const struct kafka_consumer *consumer);

/* Number of records between the committed offsets and the ends of our partitions, as last seen. */
int64_t kafka_consumer_lag(const struct kafka_consumer *consumer);

/* Number of records between those that were handed over and the ends of our partitions, as last seen. */
int64_t kafka_consumer_untaken(const struct kafka_consumer *consumer);

/* Commits what is stored, leaves the group, frees. Partitions are revoked on the way; no record comes any more. */
void kafka_consumer_close(struct kafka_consumer *consumer, void (*closed)(void *arg), void *arg);

/* ---- checks and topics ---- */

/* Asks a broker for the topic's metadata off the loop; OK if every partition has a leader. For /readyz. */
void kafka_probe_topic(struct worker *worker, const char *brokers, const char *topic, uint64_t timeout_ms,
                       void (*done)(void *arg, err_t err), void *arg);

struct kafka_topic {
	const char *name;
	int partitions;
	int replication;
	const char *config; /* "retention.ms=604800000,min.insync.replicas=1", or NULL */
};

/* Creates those that do not exist. Blocking: for start-up work. */
err_t kafka_ensure_topics(const char *brokers, const struct kafka_topic *topics, size_t count, uint64_t timeout_ms) MUST_CHECK;

#endif
