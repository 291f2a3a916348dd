#ifndef SKEIN_IM_STORED_MESSAGE_READER_H
#define SKEIN_IM_STORED_MESSAGE_READER_H

#include "im/stored/message_cache.h"
#include "store/pg/pg.h"

/*
 * Brings messages by their names: from the cache, else from PostgreSQL, all that
 * is missing by one statement. What another lookup is reading already is waited
 * for instead of read again: a thousand who ask for the same messages at the same
 * moment cost one statement. Thread: the worker's.
 */
struct message_reader {
	struct pg *pg;
	struct message_cache *cache;
	struct map under_way; /* what a statement is reading, by the message's key */
	uint64_t lookups; /* ever begun */
	struct counter *from_cache, *from_pg;
};

/* One message that is wanted. */
struct message_wanted {
	struct str key; /* as in struct stored_message */
	struct str conversation_id;
	uint64_t seq;
	struct stored_message *message; /* once it was found; a reference of the caller's */
};

/* What one page shows at most; the one message more that goes over it is still in. */
#define MESSAGE_PAGE_BYTES (1u << 20)

/*
 * OK: the first `found` are there, all of them unless they are more than a page; one at least. ERR_UNAVAILABLE,
 * or ERR_INTERNAL (logged) when there is no such message. Whatever it is, some may have been found.
 */
typedef void (*message_reader_done)(void *arg, err_t err, size_t found);

void message_reader_init(struct message_reader *reader, struct pg *pg, struct message_cache *cache);

/* When nothing is under way. */
void message_reader_release(struct message_reader *reader);

/* `wanted` and its texts live until `done`, which may come from inside the call. */
void message_reader_find(struct message_reader *reader, struct message_wanted *wanted, size_t count,
                         message_reader_done done, void *arg);

#endif
