#ifndef SKEIN_IM_STORED_MESSAGE_READER_H
#define SKEIN_IM_STORED_MESSAGE_READER_H

#include "im/stored/message_cache.h"
#include "im/stored/message_overlay.h"

/*
 * Finds messages by (conversation, seq), in their present form. They come from the
 * cache; one statement reads all that are missing from PostgreSQL. A lookup waits
 * for a message that another lookup is reading instead of reading it again: a
 * thousand lookups of the same messages at the same moment cost one statement. Then
 * one more statement reads their changes (message_overlay.h). Thread: the
 * worker's.
 */
struct message_reader {
	struct pg *pg;
	struct message_cache *cache;
	struct map under_way; /* the messages that statements are reading, by key */
	uint64_t lookups; /* begun so far */
	struct counter *from_cache, *from_pg;
};

/*
 * OK: the first `found` messages are there: all of them unless they are more than a page, and one at least. ERR_UNAVAILABLE,
 * or ERR_INTERNAL (logged) when a message does not exist. After an error, too, some messages may be set.
 */
typedef void (*message_reader_done)(void *arg, err_t err, size_t found);

void message_reader_init(struct message_reader *reader, struct pg *pg, struct message_cache *cache);

/* When nothing is under way. */
void message_reader_release(struct message_reader *reader);

/*
 * `wanted` and its texts live until `done`, which may come from inside the call; so does the viewer's uid.
 */
void message_reader_find(struct message_reader *reader, struct message_wanted *wanted, size_t count, struct message_viewer viewer,
                         message_reader_done done, void *arg);

#endif
