#ifndef SKEIN_PUSH_INTAKE_INTAKE_H
#define SKEIN_PUSH_INTAKE_INTAKE_H

#include <stdint.h>

#include "base/error.h"
#include "store/kafka/kafka.h"

/*
 * Takes records from Kafka and gives their messages to the conversations, within
 * limits. An offset is committed when its message and all earlier ones of the
 * partition are answered. A record that cannot be used is parked (dead_letters.h)
 * and then counts as answered. Thread: the worker's.
 */
struct conversations;
struct outgoing;
struct worker;

struct intake;

#define INTAKE_RECORD_VERSION 1

/* When one limit is reached, no records are taken until all counts are below half. See struct conversations_load. */
struct intake_limits {
	size_t messages, bytes, slim;
};

struct intake_options {
	struct kafka_consumer_options consumer;
	struct intake_limits limits;
};

/* `conversations` must report to intake_finished(), intake_unknown() and intake_eased(), with the intake as `arg`. */
err_t intake_new(struct intake **out, struct worker *worker, const struct intake_options *options) MUST_CHECK;
err_t intake_start(struct intake *intake, struct conversations *conversations) MUST_CHECK;

void intake_finished(void *intake, int32_t partition, int64_t offset);
void intake_unknown(void *intake, const struct outgoing *outgoing);
void intake_eased(void *intake);

/* Takes no new records. Messages under way go on. */
void intake_stop(struct intake *intake);

/* Commits and leaves the group. */
void intake_close(struct intake *intake, void (*closed)(void *arg), void *arg);

void intake_free(struct intake *intake);

/* No records are taken for now: push holds as many messages as it may, or drains. */
bool intake_is_paused(const struct intake *intake);

/* Kafka has assigned our partitions. Until then this push is not ready. */
bool intake_has_joined(const struct intake *intake);

/* Records that are being parked. */
unsigned intake_dead_letters(const struct intake *intake);

/* Records between the committed offsets and the ends of our partitions. */
int64_t intake_lag(const struct intake *intake);

/* Records of our partitions that were not taken yet. */
int64_t intake_untaken(const struct intake *intake);

#endif
