#ifndef SKEIN_STORE_KAFKA_KAFKA_ASSIGNMENT_H
#define SKEIN_STORE_KAFKA_KAFKA_ASSIGNMENT_H

#include <librdkafka/rdkafka.h>

#include "store/kafka/kafka.h"
#include "store/kafka/partition_offsets.h"

/*
 * The partitions that the group has given to a consumer: rebalances, commits and
 * lag. It calls the handlers `assigned` and `revoked`; kafka_consumer.c, the only
 * user, hands records over. Thread: the worker's.
 */

struct partition {
	bool is_ours;
	bool is_announced; /* assigned() was called */
	struct partition_offsets offsets;
};

struct kafka_assignment {
	rd_kafka_t *rk;
	char *topic;
	const struct kafka_consumer_handlers *handlers;
	void *arg;
	struct partition *partitions; /* by number */
	int32_t partition_count;
};

/* `handlers` live as long. The owner sets `rk`. */
void kafka_assignment_init(struct kafka_assignment *assignment, const char *topic,
                           const struct kafka_consumer_handlers *handlers, void *arg);
void kafka_assignment_release(struct kafka_assignment *assignment);

/* A rebalance gives or takes partitions. With `is_paused` librdkafka is told to pause the new ones, and to end the pause. */
void kafka_assignment_add(struct kafka_assignment *assignment, rd_kafka_topic_partition_list_t *partitions, bool is_paused);
void kafka_assignment_remove(struct kafka_assignment *assignment, rd_kafka_topic_partition_list_t *partitions, bool is_paused);

/* The consumer leaves without a last rebalance: revokes every partition as lost. */
void kafka_assignment_lose(struct kafka_assignment *assignment);

/* NULL for a partition that the group has not given to this consumer. */
struct partition *kafka_assignment_find(const struct kafka_assignment *assignment, int32_t number);

/* Whether any partition is ours. */
bool kafka_assignment_has_any(const struct kafka_assignment *assignment);

/*
 * A record of the partition has come: true if it must be handed over. Calls `assigned` first if the offset was not known when
 * the partition was given. If the log was lost (partition_offsets.h), calls `revoked` and then `assigned`.
 */
bool kafka_assignment_receive(struct kafka_assignment *assignment, int32_t number, int64_t offset);

/* Sends the offsets that are stored and not committed. */
void kafka_assignment_commit(struct kafka_assignment *assignment);

/* The answer to kafka_assignment_commit(); `offsets` may be NULL. */
void kafka_assignment_committed(struct kafka_assignment *assignment, rd_kafka_resp_err_t err,
                                const rd_kafka_topic_partition_list_t *offsets);

/* Sum over all partitions of `count` (partition_offsets_lag() or _untaken()), from the ends as librdkafka saw them last. */
int64_t kafka_assignment_sum(const struct kafka_assignment *assignment,
                             int64_t (*count)(const struct partition_offsets *offsets, int64_t low, int64_t high));

#endif
