#ifndef SKEIN_IM_STORED_MESSAGE_CACHE_H
#define SKEIN_IM_STORED_MESSAGE_CACHE_H

#include "im/stored/stored_message.h"

/*
 * The messages that this im stored or read lately, by (conversation, seq), so
 * that thousands who reconnect at once do not read the same rows thousands of
 * times. Bounded in bytes; the one not used for longest goes. Finding and
 * putting are O(1). Thread: one.
 *
 * Nothing is ever wrong in it, because a message does not change once it is
 * stored. When there will be edits and recalls, which change what is shown of an
 * older message, every im has to learn of each before it is answered, or the row
 * has to be compared by a version before a cached one is shown; to drop it in the
 * im that served the change is not enough.
 */
struct message_cache {
	struct map messages;
	struct list by_use; /* the least recently used first */
	size_t bytes, max_bytes;
};

void message_cache_init(struct message_cache *cache, size_t max_bytes);
void message_cache_release(struct message_cache *cache);

/* `key` as in struct stored_message. A reference for the caller, or NULL. */
struct stored_message *message_cache_find(struct message_cache *cache, struct str key);

/* Keeps a reference of its own, unless the message is there already or larger than the whole cache. */
void message_cache_put(struct message_cache *cache, struct stored_message *message);

#endif
