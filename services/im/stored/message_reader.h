#ifndef SKEIN_IM_STORED_MESSAGE_READER_H
#define SKEIN_IM_STORED_MESSAGE_READER_H

#include "im/stored/message_cache.h"
#include "im/stored/message_overlay.h"

/*
 * Brings messages by their names, in their present form. The messages come from
 * the cache, else from PostgreSQL, all that are missing by one statement. A message
 * that another lookup is reading is waited for instead of read again: a thousand
 * lookups of the same messages at the same moment cost one statement. Then one more
 * statement reads what was changed about them (message_overlay.h). Thread: the
 * worker's.
 */
struct message_reader {
	struct pg *pg;
	struct message_cache *cache;
	struct map under_way; /* what a statement is reading, by the message's key */
	uint64_t lookups; /* ever begun */
	struct counter *from_cache, *from_pg;
};

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
