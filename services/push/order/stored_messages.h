#ifndef SKEIN_PUSH_ORDER_STORED_MESSAGES_H
#define SKEIN_PUSH_ORDER_STORED_MESSAGES_H

#include <libpq-fe.h>
#include <stdint.h>

#include "proto/record.pb-c.h"

/* Reading messages whose Kafka records did not come from PostgreSQL. */

/* $1 conversation, $2 and $3 the seqs around the gap, $4 how many at most */
#define STORED_MESSAGES_SQL \
	"select seq, msg_id, sender, client_msg_id, type, body, time, reply_to, mentions from message " \
	"where conversation_id = $1 and seq > $2 and seq < $3 order by seq limit $4"

/* A row of it as the record that im would have produced. Free with skein__v1__message_record__free_unpacked(). */
Skein__V1__MessageRecord *stored_message_record(const PGresult *result, int row, const char *conversation_id,
                                                uint64_t member_version);

/* Of its first row; UINT64_MAX if there is none. */
uint64_t stored_messages_first_seq(const PGresult *result);

#endif
