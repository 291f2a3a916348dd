#ifndef SKEIN_STORE_USER_SCRIPT_H
#define SKEIN_STORE_USER_SCRIPT_H

#include "store/decimal.h"
#include "store/inbox.h"

/* What the scripts over one user's keys share: the keys, and making the inbox. Internal to store. */

#define UID_MAX 64
#define USER_KEY_SIZE (UID_MAX + 32)

struct user_keys {
	struct str keys[3]; /* KEYS[1] inbox, KEYS[2] its meta hash, KEYS[3] routes */
	char inbox[USER_KEY_SIZE], meta[USER_KEY_SIZE], routes[USER_KEY_SIZE];
};

/* `uid` is valid. The struct may not be moved: `keys` points into it. */
void user_keys_fill(struct user_keys *keys, struct str uid);

/* Only KEYS[1]: the routes. */
struct str user_routes_key(struct user_keys *keys, struct str uid);

/*
 * The start of a script that uses the inbox. Makes it anew if it is missing or of another generation; afterwards `n` is
 * the number of its newest entry, `e` its epoch. The time of the last EXPIRE stands in the meta hash (`x`), so that most
 * calls need none: INBOX_KEEP, at the end, sets it again when half of inbox_limits.expire_s went by (or a clock was
 * set back), to one and a half times that. The times are compared as texts: seconds have ten digits until 2286.
 */
#define INBOX_MAKE                                                             \
	"local m = redis.call('HMGET', KEYS[2], 'g', 'n', 'e', 'x')\n"         \
	"local n, e, x = m[2], m[3], m[4]\n"                                   \
	"if m[1] ~= ARGV[1] then\n"                                            \
	"  redis.call('DEL', KEYS[1], KEYS[2])\n"                              \
	"  n, e, x = 0, ARGV[2], false\n"                                      \
	"  redis.call('HSET', KEYS[2], 'g', ARGV[1], 'n', 0, 'e', e)\n"        \
	"end\n"                                                                \
	"local keep = not x or x < ARGV[4] or x > ARGV[3]\n"

#define INBOX_KEEP                                                             \
	"if keep then\n"                                                       \
	"  redis.call('HSET', KEYS[2], 'x', ARGV[3])\n"                        \
	"  redis.call('EXPIRE', KEYS[1], ARGV[5])\n"                           \
	"  redis.call('EXPIRE', KEYS[2], ARGV[5])\n"                           \
	"end\n"

/* ARGV[1] to ARGV[5] of the above; a script's own follow. */
#define INBOX_ARGS 5

struct inbox_args {
	struct str args[INBOX_ARGS];
	char epoch[INBOX_EPOCH_TEXT], now_s[DECIMAL_SIZE], old_s[DECIMAL_SIZE], keep_s[DECIMAL_SIZE];
};

void inbox_args_fill(struct inbox_args *args, const struct inbox_limits *limits);

/* Reads { epoch, n, ... } of a script's answer; false if it is not that. */
bool inbox_read_answer(const redisReply *reply, size_t elements, uint64_t *epoch, uint64_t *n);

#endif
