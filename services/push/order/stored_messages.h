#ifndef SKEIN_PUSH_ORDER_STORED_MESSAGES_H
#define SKEIN_PUSH_ORDER_STORED_MESSAGES_H

#include <libpq-fe.h>
#include <stdint.h>

#include "proto/record.pb-c.h"
#include "store/pg/pg.h"

/* Reads from PostgreSQL the messages whose Kafka records did not come. Thread: the worker's. */

struct stored_messages_range {
	const char *conversation_id;
	uint64_t after, before; /* seqs, both excluded */
	int32_t limit;
};

/* `done` comes once, later. */
void stored_messages_read(struct pg *pg, const struct stored_messages_range *range, pg_done done, void *arg);

/* The seq of the first row; UINT64_MAX if there is none. */
uint64_t stored_messages_first_seq(const PGresult *result);

/* A row as the record that im would have produced. Free with skein__v1__message_record__free_unpacked(). */
Skein__V1__MessageRecord *stored_message_record(const PGresult *result, int row, const char *conversation_id);

#endif
