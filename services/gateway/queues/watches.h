#ifndef SKEIN_GATEWAY_QUEUES_WATCHES_H
#define SKEIN_GATEWAY_QUEUES_WATCHES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/map.h"
#include "base/text/str.h"

/*
 * Whose presence the connections of a worker watch: an index from a watched user to the connections, and each connection's list.
 * A watched user costs 48 bytes in a list, and about 130 once for each worker. Pure.
 *
 * A connection may be told of the same change twice: as one that watches, and as a friend's. The list remembers what it was told
 * last of each user.
 */

struct session;

struct watches {
	struct map by_uid; /* of struct watched */
};

/* A user who is watched by a connection. */
struct watch {
	struct list link; /* in the watched user's `watchers` */
	struct watched *watched;
	struct watch_list *list;
	uint64_t told; /* identifies what the connection was told last; 0: nothing */
};

struct watched {
	struct map_node link;
	struct list watchers; /* of struct watch */
	char uid[65];
};

struct watch_list {
	struct watches *all;
	struct session *session;
	size_t count;
	struct watch items[];
};

void watches_init(struct watches *watches);
void watches_release(struct watches *watches); /* no list is left */

/* `uids` are `count` texts, each with its terminator; one that is there twice counts once. */
struct watch_list *watch_list_new(struct watches *watches, struct session *session, const char *uids, size_t count);
void watch_list_free(struct watch_list *list);

/* NULL: nobody watches the user. */
struct watched *watches_find(const struct watches *watches, struct str uid);

/* False if the connection was told this before, and nothing else since. A user who is not in the list is always news. */
bool watch_list_is_news(struct watch_list *list, struct str uid, uint64_t what);
bool watch_is_news(struct watch *watch, uint64_t what);

#endif
