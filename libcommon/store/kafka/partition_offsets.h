#ifndef SKEIN_STORE_KAFKA_PARTITION_OFFSETS_H
#define SKEIN_STORE_KAFKA_PARTITION_OFFSETS_H

#include <stdint.h>

/*
 * The offsets of one partition in a consumer: which record comes next, what may
 * be committed, and what was. Pure: the time is an argument.
 *
 * A record below `taken` was handed over before. It comes again when a broker
 * that stood still wakes up: for a moment it believes that it leads, lacks the
 * latest records, reports the consumer's offset as out of range, and librdkafka
 * starts from the beginning (auto.offset.reset). Such records are dropped, and
 * librdkafka is asked to seek to `taken`, again and again. If records from below
 * still come after OFFSETS_LOST_MS, the log itself was lost: then its records are
 * new ones.
 */

#define OFFSETS_LOST_MS 10000
#define OFFSETS_SEEK_AGAIN_MS 200
#define OFFSETS_CALM_MS 3000 /* without a record from below: the next one begins a new episode */

#define NO_OFFSET INT64_C(-1)

struct partition_offsets {
	int64_t taken; /* the offset behind the last record that was handed over; at first where the partition begins */
	int64_t stored; /* every record below it is done with, or NO_OFFSET */
	int64_t sent; /* in the last commit that was sent, or NO_OFFSET */
	int64_t committed; /* as far as is known, or NO_OFFSET */
	uint64_t went_back_ms; /* when the first record from below came */
	uint64_t sought_ms; /* when the last seek was asked for */
};

/* `committed` is the group's offset, or NO_OFFSET when there is none. */
void partition_offsets_begin(struct partition_offsets *offsets, int64_t committed);

enum offset_verdict {
	OFFSET_NEXT, /* hand it over */
	OFFSET_DROP, /* it was handed over before */
	OFFSET_SEEK, /* as above, and librdkafka must seek to `taken` */
	OFFSET_WENT_BACK, /* as above, for the first record from below: worth a line in the log */
	OFFSET_LOG_LOST, /* the log was lost and the record is a new one: begin with NO_OFFSET and receive it again */
};

/* Decides about a received record, and notes it as taken if it is to be handed over. */
enum offset_verdict partition_offsets_receive(struct partition_offsets *offsets, int64_t offset, uint64_t now_ms);

/* Every record below `next` is done with. A lower one than before is ignored. */
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
