#ifndef SKEIN_BASE_USERS_USER_LRU_H
#define SKEIN_BASE_USERS_USER_LRU_H

#include "base/list.h"
#include "base/map.h"

/*
 * A bounded table with a small entry for each user, or for any other text (an address, a conversation, a token): `uid` is that
 * text. At most `max` entries are kept: the least recently used one makes room. Thread: one.
 */
struct user_lru {
	struct map users;
	struct list by_use; /* the least recently used first */
	size_t max;
	size_t entry_size;
};

/* The first member of an entry's struct. */
struct user_lru_entry {
	struct map_node node;
	struct list by_use;
	struct str uid;
};

/* `entry_size` is the size of an entry's struct, which begins with a struct user_lru_entry. */
void user_lru_init(struct user_lru *recent, size_t max, size_t entry_size);
void user_lru_release(struct user_lru *recent);

/* NULL if the user has no entry. Both functions count as a use; entries live until the next user_lru_make(). */
struct user_lru_entry *user_lru_find(struct user_lru *recent, struct str uid);

/* Does nothing if the user has no entry. */
void user_lru_drop(struct user_lru *recent, struct str uid);

/* A new entry is zeroed. */
struct user_lru_entry *user_lru_make(struct user_lru *recent, struct str uid);

#endif
