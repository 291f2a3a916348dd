#ifndef SKEIN_IM_CONVERSATIONS_REST_WALK_H
#define SKEIN_IM_CONVERSATIONS_REST_WALK_H

#include <stdbool.h>

#include "base/users/user_lru.h"

struct pg;

/*
 * Keeps the lists of users short who have thousands of one-to-one conversations: in the background it copies the places
 * of those that nobody has written to for an hour (fn.direct_rests_begin()). One user at a time, after a list, and each
 * at most once an hour. A step is a short statement, and the next one begins when it is answered. Thread: the worker's.
 */
struct rest_walks {
	struct pg *pg; /* a pool whose statements are cancelled in time */
	struct user_lru walked; /* of struct walked_user */
	bool is_under_way;
};

void rest_walks_init(struct rest_walks *walks, struct pg *pg);
void rest_walks_release(struct rest_walks *walks);

/* The user has read the first page of a long list. */
void rest_walks_see(struct rest_walks *walks, struct str uid);

#endif
