#include "push/order/stored_messages.h"

#include <stdlib.h>

#include "base/macros.h"
#include "base/mem.h"
#include "message/reaction.h"

#define MENTIONS_MAX 64
#define CHANGED_MAX 10000 /* members in an entry's delta; over it the entry goes without, and the members are read */

/* The entries of conversation $1 between the seqs $2 and $3, at most $4. */
static const struct pg_statement stored_messages = {
	"push_stored_messages",
	"select seq, msg_id, sender, client_msg_id, type, body, time, reply_to, mentions, target_seq, member_version, joined, "
	"\"left\", expires_at from fn.messages_between($1::text, $2::bigint, $3::bigint, $4::integer)",
};

enum column { SEQ,
	      MSG_ID,
	      SENDER,
	      CLIENT_MSG_ID,
	      TYPE,
	      BODY,
	      TIME,
	      REPLY_TO,
	      MENTIONS,
	      TARGET_SEQ,
	      MEMBER_VERSION,
	      JOINED,
	      LEFT,
	      EXPIRES_AT };

void stored_messages_read(struct pg *pg, const struct stored_messages_range *range, pg_done done, void *arg)
{
	struct pg_params params = { 0 };

	pg_put_text(&params, str_from(range->conversation_id));
	pg_put_i64(&params, (int64_t)range->after);
	pg_put_i64(&params, (int64_t)range->before);
	pg_put_i32(&params, range->limit);
	pg_query(pg, PG_ANY_LANE, &stored_messages, &params, done, arg);
}

uint64_t stored_messages_first_seq(const PGresult *result)
{
	return PQntuples(result) ? (uint64_t)pg_i64(result, 0, SEQ) : UINT64_MAX;
}

/* ---- a row ---- */

/* libpq terminates every cell. */
static char *stored_text(const PGresult *result, int row, enum column column)
{
	return PQgetisnull(result, row, column) ? (char *)protobuf_c_empty_string : PQgetvalue(result, row, column);
}

/* Copies the elements of a cell, which are not terminated. */
static size_t stored_texts(const PGresult *result, int row, enum column column, size_t max, char ***out)
{
	max = MIN(max, (size_t)PQgetlength(result, row, (int)column) / sizeof(uint32_t)); /* an element takes more */
	struct str *found = mem_alloc(max * sizeof(*found));
	size_t count = pg_text_array(result, row, column, found, max);

	*out = mem_alloc(count * sizeof(**out));
	for (size_t i = 0; i < count; i++)
		(*out)[i] = str_dup(found[i]);
	mem_free(found);
	return count;
}

static void stored_texts_free(char **texts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(texts[i]); /* str_dup() */
	mem_free(texts);
}

/* Copies the record: a row's cells live only as long as the result. */
static Skein__V1__MessageRecord *stored_copy(const Skein__V1__MessageRecord *record)
{
	size_t len = skein__v1__message_record__get_packed_size(record);
	uint8_t *packed = mem_alloc(len);

	skein__v1__message_record__pack(record, packed);
	Skein__V1__MessageRecord *made = skein__v1__message_record__unpack(NULL, len, packed);
	mem_free(packed);
	return made;
}

Skein__V1__MessageRecord *stored_message_record(const PGresult *result, int row, const char *conversation_id)
{
	Skein__V1__MessageRecord record = SKEIN__V1__MESSAGE_RECORD__INIT;
	Skein__V1__MembershipDelta delta = SKEIN__V1__MEMBERSHIP_DELTA__INIT;
	Skein__V1__Message message = SKEIN__V1__MESSAGE__INIT;
	struct reaction reaction;

	record.version = 1;
	record.message = &message;
	record.member_version = (uint64_t)pg_i64(result, row, MEMBER_VERSION);
	message.conversation_id = (char *)conversation_id;
	message.seq = (uint64_t)pg_i64(result, row, SEQ);
	message.msg_id = (uint64_t)pg_i64(result, row, MSG_ID);
	message.from = stored_text(result, row, SENDER);
	message.client_msg_id = stored_text(result, row, CLIENT_MSG_ID);
	message.type = stored_text(result, row, TYPE);
	struct str body = reaction_split(&reaction, pg_text(result, row, TYPE), pg_text(result, row, BODY));
	message.body = body.len ? (char *)body.ptr : (char *)protobuf_c_empty_string; /* libpq terminates every cell */
	message.op = (char *)reaction.op;
	message.emoji = reaction.emoji;
	message.time = (uint64_t)pg_i64(result, row, TIME);
	message.reply_to = (uint64_t)pg_i64(result, row, REPLY_TO);
	message.target_seq = (uint64_t)pg_i64(result, row, TARGET_SEQ);
	message.expires_at = (uint64_t)pg_i64(result, row, EXPIRES_AT);
	message.n_mentions = stored_texts(result, row, MENTIONS, MENTIONS_MAX, &message.mentions);
	delta.n_joined = stored_texts(result, row, JOINED, CHANGED_MAX + 1, &delta.joined);
	delta.n_left = stored_texts(result, row, LEFT, CHANGED_MAX + 1, &delta.left);
	if (delta.n_joined + delta.n_left && delta.n_joined <= CHANGED_MAX && delta.n_left <= CHANGED_MAX)
		record.membership = &delta;
	Skein__V1__MessageRecord *made = stored_copy(&record);
	stored_texts_free(message.mentions, message.n_mentions);
	stored_texts_free(delta.joined, delta.n_joined);
	stored_texts_free(delta.left, delta.n_left);
	return made;
}
