#ifndef SKEIN_CLUSTER_USER_SCRIPT_H
#define SKEIN_CLUSTER_USER_SCRIPT_H

#include "base/text/decimal.h"
#include "base/text/str.h"
#include "cluster/inbox_epoch.h"
#include "cluster/inbox_limits.h"
#include "store/redis/redis.h"

/*
 * What the scripts over one user's keys share (inbox.c, routes.c): the keys,
 * and the Lua pieces that make an inbox and keep it alive.
 */

#define UID_MAX 64
#define USER_KEY_SIZE (UID_MAX + 32)

struct user_keys {
	struct str keys[3]; /* KEYS[1] inbox, KEYS[2] its meta hash, KEYS[3] routes */
	char inbox[USER_KEY_SIZE], meta[USER_KEY_SIZE], routes[USER_KEY_SIZE];
};

/* `uid` is a valid ident. Do not copy the struct: `keys` points into it. */
void user_keys_fill(struct user_keys *keys, struct str uid);

/*
 * Times in the meta hash are compared as texts: until 2286 seconds have ten digits. A time in the future was written by a
 * wrong clock and counts as an old one.
 *
 * INBOX_MAKE comes first in a script. It makes the inbox again if it is missing, of another generation, or not what it should
 * be (a key of another type, a number that is none): then `is_broken`. Afterwards `h` is the head, `n` the number of the newest
 * entry, `len` the length of the list, `e` the epoch and `t` the time of the mark (see INBOX_AGE).
 *
 * The head is the generation, the epoch and the version of the user's routes, one behind the other. It changes whenever one of
 * them does. ROUTES_CHANGED changes the version.
 */
#define INBOX_MAKE                                                                                               \
	"local m, len = redis.pcall('HMGET', KEYS[2], 'h', 'n', 't'), redis.pcall('LLEN', KEYS[1])\n"            \
	"local h, n, t = m[1] or '', tonumber(m[2] or ''), m[3]\n"                                               \
	"local is_broken = m.err or type(len) == 'table' or h ~= '' and not n\n"                                 \
	"if is_broken or string.sub(h, 1, 40) ~= ARGV[1] then\n"                                                 \
	"  redis.call('DEL', KEYS[1], KEYS[2])\n"                                                                \
	"  h, n, t, len = ARGV[1] .. ARGV[2] .. '0', 0, ARGV[3], 0\n"                                            \
	"  redis.call('HSET', KEYS[2], 'h', h, 'n', 0, 't', t, 'a', 0, 'x', t)\n"                                \
	"  redis.call('EXPIRE', KEYS[2], ARGV[4])\n"                                                             \
	"end\n"                                                                                                 \
	"local e = string.sub(h, 41, 55)\n"

/* The user's routes have changed; `h` is the head. Every script that changes them does this, so a version has one set of routes. */
#define ROUTES_CHANGED                                                                                           \
	"redis.call('HSET', KEYS[2], 'h', string.sub(h, 1, 55)"                                                  \
	" .. string.format('%.0f', (tonumber(string.sub(h, 56)) or 0) + 1))\n"

/*
 * The cap by age. The mark says that entry `a` was the newest one at the time `t`.
 *  - The mark is older than max_age: so is every entry up to `a`. They are removed, and a new mark is set.
 *  - The mark is older than twice max_age: the last script that ran INBOX_AGE saw a mark younger than max_age, so every entry
 *    is older than max_age. All are removed.
 * An entry therefore stays for one to two max_age, provided that somebody appends or reads.
 */
#define INBOX_AGE                                                                                                \
	"if not t or t < ARGV[5] or t > ARGV[3] then\n"                                                          \
	"  if t and t < ARGV[5] then\n"                                                                          \
	"    local a = tonumber(redis.call('HGET', KEYS[2], 'a') or '') or 0\n"                                  \
	"    if (tonumber(t) or 0) < 2 * ARGV[5] - ARGV[3] then a = n end\n"                                     \
	"    local drop = a - (n - len)\n"                                                                       \
	"    if drop > 0 then redis.call('LTRIM', KEYS[1], drop, -1) end\n"                                      \
	"  end\n"                                                                                                \
	"  t = ARGV[3]\n"                                                                                        \
	"  redis.call('HSET', KEYS[2], 'a', n, 't', t)\n"                                                        \
	"end\n"

/*
 * Extends the life of the inbox; for reads, binds and renewals, not for appends. `x` is the time of the last EXPIRE. EXPIRE
 * runs again after half of inbox_limits.expire_s, with one and a half times expire_s, so most calls write nothing. A missing
 * inbox is not made.
 */
#define INBOX_KEEP                                                                                               \
	"local x = redis.pcall('HGET', KEYS[2], 'x')\n"                                                          \
	"if type(x) == 'string' and (x < ARGV[6] or x > ARGV[3]) then\n"                                         \
	"  redis.call('HSET', KEYS[2], 'x', ARGV[3])\n"                                                          \
	"  redis.call('EXPIRE', KEYS[1], ARGV[4])\n"                                                             \
	"  redis.call('EXPIRE', KEYS[2], ARGV[4])\n"                                                             \
	"end\n"

/* ARGV[1] to ARGV[6] of these pieces. ARGV[6] is for INBOX_KEEP only. The script's own arguments follow. */
#define INBOX_ARGS 6

struct inbox_args {
	struct str args[INBOX_ARGS];
	char epoch[INBOX_EPOCH_TEXT], now_s[DECIMAL_SIZE], keep_s[DECIMAL_SIZE], aged_s[DECIMAL_SIZE], old_s[DECIMAL_SIZE];
};

void inbox_args_fill(struct inbox_args *args, const struct inbox_limits *limits);

/* The head of an inbox as an argument of a script; its generation is filled in when the command is sent. */
#define INBOX_HEAD_TEXT 64
struct str inbox_head_text(char out[INBOX_HEAD_TEXT], uint64_t epoch, uint64_t version);

/* False if the text is no head. */
bool inbox_head_parse(struct str head, uint64_t *epoch, uint64_t *version);

/* Reads { epoch, n, ... } from an answer with that many elements. False if the answer has another form. */
bool inbox_read_answer(const redisReply *reply, size_t elements, uint64_t *epoch, uint64_t *n);

#endif
