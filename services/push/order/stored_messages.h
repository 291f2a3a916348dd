#ifndef SKEIN_PUSH_ORDER_STORED_MESSAGES_H
#define SKEIN_PUSH_ORDER_STORED_MESSAGES_H

#include <libpq-fe.h>
#include <stdint.h>

#include "proto/record.pb-c.h"

/* Reading messages whose Kafka records did not come from PostgreSQL. */

/* A row of it as the record that im would have produced. Free with skein__v1__message_record__free_unpacked(). */
Skein__V1__MessageRecord *stored_message_record(const PGresult *result, int row, const char *conversation_id,
                                                uint64_t member_version);

/* Of its first row; UINT64_MAX if there is none. */
uint64_t stored_messages_first_seq(const PGresult *result);

#endif
