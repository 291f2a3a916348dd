#ifndef SKEIN_IM_ENTRIES_PUBLISHER_H
#define SKEIN_IM_ENTRIES_PUBLISHER_H

#include <stdbool.h>
#include <stdint.h>

#include "im/entries/entry.h"
#include "im/stored/stored_message.h"
#include "store/kafka/kafka.h"

/*
 * Publishes stored entries to Kafka. A stored entry must be publishable, so room is
 * reserved before it goes into the database: up to half of what the producer may
 * hold, in records and in bytes. While Kafka is away that much is accepted; beyond
 * it entries are refused. A record that Kafka will never take (it is too large) is
 * logged and counted, and blocks no other: push finds the entry in PostgreSQL when
 * the next one of its conversation comes. Thread: the worker's.
 */
struct publisher {
	struct kafka_producer *producer;
	struct watermark *watermark;
	unsigned max_records, records; /* reserved: entries not decided yet, and records not acknowledged */
	uint64_t max_bytes, bytes;
	struct list unsettled; /* records that Kafka has not acknowledged, the oldest first */
	struct buf scratch, uids, pointers; /* of the record that is being packed */
	struct counter *published, *lost;
};

/* The content of a record. */
struct publisher_record {
	struct stored_fields message;
	int64_t member_version; /* of a group: the seq of the last change of its membership at or before this entry; else 0 */
	struct str joined, left; /* uids joined by commas, of an entry that changed the membership */
	struct str traceparent; /* may be empty */
};

/* The limits are those of the producer. */
void publisher_init(struct publisher *publisher, struct kafka_producer *producer, struct watermark *watermark,
                    unsigned max_records, uint64_t max_bytes);

/* The producer is about to be closed. Entries that are published from now on are left to the next holder of the lease. */
void publisher_stop(struct publisher *publisher);

/* False when the entry must be refused. */
bool publisher_reserve(struct publisher *publisher, const struct entry *entry) MUST_CHECK;

/* The entry was not stored: its room is free again. */
void publisher_cancel(struct publisher *publisher, const struct entry *entry);

/*
 * Produces the record of an entry that was stored and is not needed afterwards. Its place in the watermark is closed when
 * Kafka has the record. Calls for one conversation come in the order of seq.
 */
void publisher_publish(struct publisher *publisher, const struct entry *entry, const struct publisher_record *record);

/*
 * Produces an entry that another im stored, without a reservation: the other half of the producer has room for a page of
 * them. `told` is called once, perhaps from here: OK when Kafka has the record or will never take it, an error when it has
 * to be tried again.
 */
void publisher_republish(struct publisher *publisher, const struct publisher_record *record,
                         void (*told)(void *arg, err_t err), void *arg);

#endif
