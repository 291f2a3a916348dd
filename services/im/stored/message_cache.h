#ifndef SKEIN_IM_STORED_MESSAGE_CACHE_H
#define SKEIN_IM_STORED_MESSAGE_CACHE_H

#include "im/stored/stored_message.h"

/*
 * Keeps the messages that this im stored or read recently, by (conversation, seq),
 * so that thousands of clients that reconnect at once do not read the same rows
 * thousands of times. Bounded in bytes; the least recently used one is dropped.
 * Finding and putting are O(1). Thread: one.
 *
 * A cached message is never out of date, because a stored row changes only when a
 * user is deleted; then the cache is cleared. One that has expired keeps its body here
 * until it is dropped; nobody is shown it (message/message_expiry.h).
 * Recalls and edits are not cached: message_overlay.h reads them for each page.
 */
struct message_cache {
	struct map messages;
	struct list by_use; /* the least recently used first */
	size_t bytes, max_bytes;
};

void message_cache_init(struct message_cache *cache, size_t max_bytes);
void message_cache_release(struct message_cache *cache);

/* Forgets everything. */
void message_cache_clear(struct message_cache *cache);

/* `key` as in struct stored_message. A reference for the caller, or NULL. */
struct stored_message *message_cache_find(struct message_cache *cache, struct str key);

/* Keeps a reference of its own, unless the message is there already or larger than the whole cache. */
void message_cache_put(struct message_cache *cache, struct stored_message *message);

#endif
