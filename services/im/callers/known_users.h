#ifndef SKEIN_IM_CALLERS_KNOWN_USERS_H
#define SKEIN_IM_CALLERS_KNOWN_USERS_H

#include <stdbool.h>

#include "im/callers/user_lru.h"
#include "store/pg/pg.h"

/*
 * A valid token makes its user exist. The process remembers the users it has seen lately, so it asks the database once
 * per user, not per request. Thread: the worker's.
 */

#define USERS_SEEN_MAX 200000

struct known_users {
	struct pg *pg;
	struct user_lru users;
};

void known_users_init(struct known_users *seen, struct pg *pg);
void known_users_release(struct known_users *seen);

/* True if the user is known to exist and not to be disabled. */
bool known_users_has(struct known_users *seen, struct str uid);

/* OK, ERR_UNAUTHENTICATED for a disabled user, ERR_UNAVAILABLE. */
typedef void (*known_users_done)(void *arg, err_t err);

/*
 * Asks the database, which makes the user if it does not exist. `done` is called later. With a token id (net/jwt.h; may be
 * empty) it is also ERR_UNAUTHENTICATED when the database has that token as revoked.
 */
void known_users_admit(struct known_users *seen, struct str uid, struct str token_id, known_users_done done, void *arg);

#endif
