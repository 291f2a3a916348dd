#ifndef SKEIN_IM_CALLERS_RATE_CLASSES_H
#define SKEIN_IM_CALLERS_RATE_CLASSES_H

#include "cluster/rate_bucket.h"
#include "im/config.h"

/*
 * The classes of actions whose rate is limited: what each is counted by, its limit in the configuration, and what a refused
 * caller is told. Pure.
 */
enum rate_class {
	RATE_NONE, /* no limit but that of all calls */
	RATE_CALL, /* calls of one user, except sends and those of admins */
	RATE_SEND, /* messages of one sender, over HTTP and WebSocket together */
	RATE_CONVERSATION, /* messages to one conversation, of all senders */
	RATE_LOGIN, /* wrong passwords of one user: enough for a person, too few to guess a password from a dictionary */
	RATE_LOGIN_ADDRESS, /* wrong passwords from one address, of any users */
	RATE_REGISTER, /* registrations from one address */
	RATE_LOGOUT, /* tokens that one user revokes: every im remembers each until it expires */
	RATE_ADDRESS, /* calls from one address without a valid token, logins and registrations included */
	RATE_FRIEND_REQUEST, /* friend requests of one user */
	RATE_GROUP, /* groups that one user makes */
	RATE_CLASSES,
};

/* The limit of a class that is not RATE_NONE. */
struct rate_bucket_limit rate_class_limit(const struct im_config *config, enum rate_class class);

/* The class as a label of metrics, and in keys; empty for RATE_NONE. */
struct str rate_class_label(enum rate_class class);

/* One sentence for a caller who was refused. */
const char *rate_class_refusal(enum rate_class class);

#endif
