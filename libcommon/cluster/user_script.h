#ifndef SKEIN_CLUSTER_USER_SCRIPT_H
#define SKEIN_CLUSTER_USER_SCRIPT_H

#include "base/text/decimal.h"
#include "cluster/inbox.h"

/* What the scripts over one user's keys share: the keys, and making the inbox. Internal to store. */

#define UID_MAX 64
#define USER_KEY_SIZE (UID_MAX + 32)

struct user_keys {
	struct str keys[3]; /* KEYS[1] inbox, KEYS[2] its meta hash, KEYS[3] routes */
	char inbox[USER_KEY_SIZE], meta[USER_KEY_SIZE], routes[USER_KEY_SIZE];
};

/* `uid` is valid. The struct may not be moved: `keys` points into it. */
void user_keys_fill(struct user_keys *keys, struct str uid);

/*
 * The pieces of scripts that use the inbox. Times in the meta hash are compared as texts: seconds have ten digits until
 * 2286. One that lies ahead was written by a clock that is wrong, and counts as one that is old.
 *
 * INBOX_MAKE comes first: makes the inbox anew if it is missing or of another generation. Afterwards `n` is the number of
 * its newest entry, `e` its epoch, `t` the time of its mark.
 */
#define INBOX_MAKE                                                                                               \
	"local m = redis.call('HMGET', KEYS[2], 'g', 'n', 'e', 't')\n"                                           \
	"local n, e, t = m[2], m[3], m[4]\n"                                                                     \
	"if m[1] ~= ARGV[1] then\n"                                                                              \
	"  redis.call('DEL', KEYS[1], KEYS[2])\n"                                                                \
	"  n, e, t = 0, ARGV[2], ARGV[3]\n"                                                                      \
	"  redis.call('HSET', KEYS[2], 'g', ARGV[1], 'n', 0, 'e', e, 't', t, 'a', 0, 'x', t)\n"                  \
	"  redis.call('EXPIRE', KEYS[2], ARGV[4])\n"                                                             \
	"end\n"

/*
 * The cap by age. The mark is the number `a` that was the newest at the time `t`. When it is older than max_age, so is all
 * up to `a`: that goes, and there is a new mark. No append since then has found it old, so when it is twice as old, all
 * that there is came before it was old, and goes too. An entry stays for one to two max_age, as long as somebody comes by.
 */
#define INBOX_AGE                                                                                                \
	"if not t or t < ARGV[5] or t > ARGV[3] then\n"                                                          \
	"  if t and t < ARGV[5] then\n"                                                                          \
	"    local a = redis.call('HGET', KEYS[2], 'a')\n"                                                       \
	"    if t + 0 < 2 * ARGV[5] - ARGV[3] then a = n end\n"                                                  \
	"    local drop = a - (n - redis.call('LLEN', KEYS[1]))\n"                                               \
	"    if drop > 0 then redis.call('LTRIM', KEYS[1], drop, -1) end\n"                                      \
	"  end\n"                                                                                                \
	"  redis.call('HSET', KEYS[2], 'a', n, 't', ARGV[3])\n"                                                  \
	"end\n"

/*
 * For who reads or is connected, not who appends: the inbox lives on. `x` is the time of its last EXPIRE, so that most calls
 * need none: it is set again when half of inbox_limits.expire_s went by, to one and a half times that. Makes nothing.
 */
#define INBOX_KEEP                                                                                               \
	"local x = redis.call('HGET', KEYS[2], 'x')\n"                                                           \
	"if x and (x < ARGV[6] or x > ARGV[3]) then\n"                                                           \
	"  redis.call('HSET', KEYS[2], 'x', ARGV[3])\n"                                                          \
	"  redis.call('EXPIRE', KEYS[1], ARGV[4])\n"                                                             \
	"  redis.call('EXPIRE', KEYS[2], ARGV[4])\n"                                                             \
	"end\n"

/* ARGV[1] to ARGV[6] of the above, ARGV[6] for INBOX_KEEP only; a script's own follow. */
#define INBOX_ARGS 6

struct inbox_args {
	struct str args[INBOX_ARGS];
	char epoch[INBOX_EPOCH_TEXT], now_s[DECIMAL_SIZE], keep_s[DECIMAL_SIZE], aged_s[DECIMAL_SIZE], old_s[DECIMAL_SIZE];
};

void inbox_args_fill(struct inbox_args *args, const struct inbox_limits *limits);

/* Reads { epoch, n, ... } of a script's answer; false if it is not that. */
bool inbox_read_answer(const redisReply *reply, size_t elements, uint64_t *epoch, uint64_t *n);

#endif
