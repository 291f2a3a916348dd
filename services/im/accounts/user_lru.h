#ifndef SKEIN_IM_RECENT_H
#define SKEIN_IM_RECENT_H

#include "base/list.h"
#include "base/map.h"

/*
 * Something small about each of the users who were here lately. At most `max`
 * are kept: the one not met for longest makes room. Thread: one.
 */
struct recent {
	struct map users;
	struct list by_use; /* the least recently met first */
	size_t max;
	size_t entry_size;
};

/* The first member of what is kept about a user. */
struct recent_entry {
	struct map_node node;
	struct list by_use;
	struct str uid;
};

/* `entry_size`: of the struct that begins with a struct recent_entry. */
void recent_init(struct recent *recent, size_t max, size_t entry_size);
void recent_release(struct recent *recent);

/* NULL for one who is not kept. Either counts as a meeting; entries live until the next recent_make(). */
struct recent_entry *recent_find(struct recent *recent, struct str uid);

/* A new entry is zeroed. */
struct recent_entry *recent_make(struct recent *recent, struct str uid);

#endif
