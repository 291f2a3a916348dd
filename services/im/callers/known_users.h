#ifndef SKEIN_IM_CALLERS_KNOWN_USERS_H
#define SKEIN_IM_CALLERS_KNOWN_USERS_H

#include <stdbool.h>

#include "base/users/user_lru.h"
#include "store/pg/pg.h"

/*
 * A valid token makes its user exist. The process remembers the users it has seen lately, so it asks the database once
 * per user, not per request. Thread: the worker's.
 */

#define USERS_SEEN_MAX 200000

struct known_users {
	struct pg *pg;
	struct user_lru users; /* of struct known_user */
	uint64_t forgotten; /* how often a user was forgotten: an answer that was asked for before is not remembered */
};

/* A user who exists and is not disabled. */
struct known_user {
	struct user_lru_entry entry;
	int64_t logged_out_ms; /* tokens that were issued up to then are not valid; -1: none were logged out together */
	bool is_bot;
};

/* The token with which a user comes. */
struct user_token {
	struct str id; /* net/jwt.h; empty: whether it was revoked is not asked */
	uint64_t issued_ms; /* 0: it does not say. USER_TOKEN_CHECKED: a gateway has checked the token */
};

#define USER_TOKEN_CHECKED UINT64_MAX

void known_users_init(struct known_users *seen, struct pg *pg);
void known_users_release(struct known_users *seen);

/* NULL: the database has to be asked. Valid until the next call of known_users_admit(). */
const struct known_user *known_users_find(struct known_users *seen, struct str uid);

/* Whether a token of the user that was issued then is still valid. */
static inline bool known_user_takes(const struct known_user *user, uint64_t issued_ms)
{
	return user->logged_out_ms < 0 || issued_ms > (uint64_t)user->logged_out_ms;
}

/*
 * OK, ERR_UNAUTHENTICATED for a disabled user or a token that is not valid any more, ERR_UNAVAILABLE. `user` is valid during the
 * call; NULL on an error.
 */
typedef void (*known_users_done)(void *arg, err_t err, const struct known_user *user);

/* Asks the database, which makes the user if it does not exist. `done` is called later. Copies its arguments. */
void known_users_admit(struct known_users *seen, struct str uid, const struct user_token *token, known_users_done done, void *arg);

/* What is remembered of the user, or of all users where the uid is empty, is out of date. */
void known_users_forget(struct known_users *seen, struct str uid);

#endif
