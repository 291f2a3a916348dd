#include "push/order/stored_messages.h"

#include <stdlib.h>

#include "base/mem.h"
#include "store/pg/pg.h"

#define MENTIONS_MAX 64

enum column { SEQ,
	      MSG_ID,
	      SENDER,
	      CLIENT_MSG_ID,
	      TYPE,
	      BODY,
	      TIME,
	      REPLY_TO,
	      MENTIONS,
	      TARGET_SEQ };

/* libpq terminates every cell. */
static char *cell(const PGresult *result, int row, enum column column)
{
	return PQgetisnull(result, row, column) ? (char *)protobuf_c_empty_string : PQgetvalue(result, row, column);
}

/* The same message on the heap: a row's cells live only as long as the result. */
static Skein__V1__MessageRecord *copy(const Skein__V1__MessageRecord *record)
{
	size_t len = skein__v1__message_record__get_packed_size(record);
	uint8_t *packed = mem_alloc(len);

	skein__v1__message_record__pack(record, packed);
	Skein__V1__MessageRecord *made = skein__v1__message_record__unpack(NULL, len, packed);
	mem_free(packed);
	return made;
}

Skein__V1__MessageRecord *stored_message_record(const PGresult *result, int row, const char *conversation_id,
                                                uint64_t member_version)
{
	Skein__V1__MessageRecord record = SKEIN__V1__MESSAGE_RECORD__INIT;
	Skein__V1__Message message = SKEIN__V1__MESSAGE__INIT;
	struct str found[MENTIONS_MAX];
	char *mentions[MENTIONS_MAX];
	size_t count = pg_text_array(result, row, MENTIONS, found, MENTIONS_MAX);

	for (size_t i = 0; i < count; i++)
		mentions[i] = str_dup(found[i]);
	message.conversation_id = (char *)conversation_id;
	message.seq = (uint64_t)pg_i64(result, row, SEQ);
	message.msg_id = (uint64_t)pg_i64(result, row, MSG_ID);
	message.from = cell(result, row, SENDER);
	message.client_msg_id = cell(result, row, CLIENT_MSG_ID);
	message.type = cell(result, row, TYPE);
	message.body = cell(result, row, BODY);
	message.time = (uint64_t)pg_i64(result, row, TIME);
	message.reply_to = (uint64_t)pg_i64(result, row, REPLY_TO);
	message.target_seq = (uint64_t)pg_i64(result, row, TARGET_SEQ);
	message.mentions = mentions;
	message.n_mentions = count;
	record.version = 1;
	record.message = &message;
	record.member_version = member_version;
	Skein__V1__MessageRecord *made = copy(&record);
	for (size_t i = 0; i < count; i++)
		free(mentions[i]);
	return made;
}

uint64_t stored_messages_first_seq(const PGresult *result)
{
	return PQntuples(result) ? (uint64_t)pg_i64(result, 0, SEQ) : UINT64_MAX;
}
