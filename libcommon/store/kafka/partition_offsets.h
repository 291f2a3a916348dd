#ifndef SKEIN_STORE_KAFKA_PARTITION_OFFSETS_H
#define SKEIN_STORE_KAFKA_PARTITION_OFFSETS_H

#include <stdint.h>

/*
 * The offsets of one partition in a consumer: the next record, the offset that
 * may be committed, and the committed one. Pure: the time is an argument.
 *
 * A record below `taken` was handed over before. It comes again when a frozen
 * broker wakes up: for a moment the broker believes that it is the leader, lacks
 * the latest records and reports the consumer's offset as out of range. librdkafka
 * then starts from the beginning (auto.offset.reset). These records are dropped,
 * and librdkafka is asked to seek to `taken` every OFFSETS_SEEK_AGAIN_MS. If
 * records below `taken` still come after OFFSETS_LOST_MS, the log itself was lost,
 * and its records are new ones.
 */

#define OFFSETS_LOST_MS 10000
#define OFFSETS_SEEK_AGAIN_MS 200
#define OFFSETS_CALM_MS 3000 /* without a record below `taken`: the next one begins a new episode */

#define NO_OFFSET INT64_C(-1)

struct partition_offsets {
	int64_t taken; /* the offset after the last record that was handed over; at first the start of the partition */
	int64_t stored; /* every record below it was processed, or NO_OFFSET */
	int64_t sent; /* in the last commit that was sent, or NO_OFFSET */
	int64_t committed; /* the highest offset whose commit was confirmed, or NO_OFFSET */
	uint64_t went_back_ms; /* when the first record below `taken` came */
	uint64_t sought_ms; /* when the last seek was asked for */
};

/* `committed` is the group's offset, or NO_OFFSET when there is none. */
void partition_offsets_begin(struct partition_offsets *offsets, int64_t committed);

enum offset_verdict {
	OFFSET_NEXT, /* hand it over */
	OFFSET_DROP, /* it was handed over before */
	OFFSET_SEEK, /* drop it, and seek to `taken` */
	OFFSET_WENT_BACK, /* drop it, seek to `taken`, and log it: the first record below `taken` of an episode */
	OFFSET_LOG_LOST, /* the log was lost and the record is a new one: begin with NO_OFFSET and receive it again */
};

/* Decides about a received record, and notes it as taken if it is to be handed over. */
enum offset_verdict partition_offsets_receive(struct partition_offsets *offsets, int64_t offset, uint64_t now_ms);

/* Every record below `next` was processed. A lower `next` than before is ignored. */
void partition_offsets_store(struct partition_offsets *offsets, int64_t next);

/* The offset that a commit must send now, which counts as sent from here on; NO_OFFSET if there is nothing new. */
int64_t partition_offsets_commit(struct partition_offsets *offsets);
void partition_offsets_committed(struct partition_offsets *offsets, int64_t offset);

/* The commit failed: the next one sends the offset again. */
void partition_offsets_not_committed(struct partition_offsets *offsets);

/* Records between the committed offset and the end of a log that has the offsets `low` to `high`. */
int64_t partition_offsets_lag(const struct partition_offsets *offsets, int64_t low, int64_t high);

/* Records between the last one that was handed over and the end. */
int64_t partition_offsets_untaken(const struct partition_offsets *offsets, int64_t low, int64_t high);

#endif
