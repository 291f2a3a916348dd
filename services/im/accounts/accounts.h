#ifndef SKEIN_IM_ACCOUNTS_ACCOUNTS_H
#define SKEIN_IM_ACCOUNTS_ACCOUNTS_H

#include "im/accounts/password_pool.h"
#include "im/changes/change_feed.h"
#include "im/config.h"
#include "net/jwt.h"

struct call;

/* Users, their passwords and their tokens: the context of the calls in this folder. Thread: the worker's. */
struct accounts {
	const struct im_config *config;
	struct jwt_keys *keys;
	struct change_feed *changes;
	/* Apart, so that a storm of one kind leaves slots to the other. */
	struct password_pool login_passwords, new_passwords;
};

void accounts_init(struct accounts *accounts, struct worker *worker, const struct im_config *config,
                   struct jwt_keys *keys, struct change_feed *changes);

void accounts_register(struct call *call); /* POST /v1/users */
void accounts_login(struct call *call); /* POST /v1/auth/login */
void accounts_refresh(struct call *call); /* POST /v1/auth/refresh */
void accounts_logout(struct call *call); /* POST /v1/auth/logout */
void accounts_profile(struct call *call); /* GET /v1/users/{uid} */
void accounts_change_profile(struct call *call); /* PATCH /v1/users/me */

#endif
