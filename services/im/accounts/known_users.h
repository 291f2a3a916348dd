#ifndef SKEIN_IM_USERS_SEEN_H
#define SKEIN_IM_USERS_SEEN_H

#include <stdbool.h>

#include "im/recent.h"
#include "store/pg.h"

/*
 * A valid token makes its user exist. Who was seen here lately is remembered, so
 * that the database is asked once per user and process, not per request. Thread:
 * the worker's.
 */

#define USERS_SEEN_MAX 200000

struct users_seen {
	struct pg *pg;
	struct recent users;
};

void users_seen_init(struct users_seen *seen, struct pg *pg);
void users_seen_release(struct users_seen *seen);

/* True if the user is known to exist and not to be disabled. */
bool users_seen_has(struct users_seen *seen, struct str uid);

/* OK, ERR_UNAUTHENTICATED for a disabled user, ERR_UNAVAILABLE. */
typedef void (*users_seen_done)(void *arg, err_t err);

/*
 * Asks the database, making the user if need be. `done` comes later. With a token id (net/jwt.h; may be empty) also
 * ERR_UNAUTHENTICATED if that token is revoked, as of now.
 */
void users_seen_admit(struct users_seen *seen, struct str uid, struct str token_id, users_seen_done done, void *arg);

#endif
