#include "cluster/inbox.h"

#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "base/text/ident.h"
#include "base/telemetry/log.h"
#include "base/mem.h"
#include "base/sabotage.h"
#include "cluster/user_script.h"

/* Lua's numbers are doubles. No inbox has so many entries, so a larger offset compares like this one. */
#define OFFSET_MAX (1ull << 53)

/*
 * ARGV[6] is the length from which the list is trimmed, ARGV[7] the length that is kept, then the entries. A list that is new
 * (the inbox was empty, or Redis evicted the list alone) gets the same expiry as the meta hash. A key of another type holds
 * no routes. The answer: head, number of the first entry, routes, length, time of the mark, bits of enum append_broken.
 */
#define APPEND_ARGS 7
#define APPEND                                                                                                   \
	INBOX_MAKE                                                                                               \
	INBOX_AGE                                                                                                \
	"local count = #ARGV - 7\n"                                                                              \
	"redis.call('HSET', KEYS[2], 'n', n + count)\n"                                                          \
	"len = redis.call('RPUSH', KEYS[1], unpack(ARGV, 8))\n"                                                  \
	"if len == count then redis.call('PEXPIRE', KEYS[1], math.max(redis.call('PTTL', KEYS[2]), 1)) end\n"    \
	"if len > tonumber(ARGV[6]) then\n"                                                                      \
	"  redis.call('LTRIM', KEYS[1], -ARGV[7], -1)\n"                                                         \
	"  len = tonumber(ARGV[7])\n"                                                                            \
	"end\n"                                                                                                  \
	"local routes, broken = redis.pcall('HGETALL', KEYS[3]), is_broken and 1 or 0\n"                         \
	"if routes.err then\n"                                                                                   \
	"  redis.call('DEL', KEYS[3])\n"                                                                         \
	"  routes, broken = {}, broken + 2\n"                                                                    \
	"end\n"

enum append_broken { BROKEN_INBOX = 1, BROKEN_ROUTES = 2 };

static struct redis_script append_script = {
	.name = "inbox append",
	.source = APPEND "return { h, n + 1, routes, len, t, broken }\n",
};

/* SABOTAGE_LOOKUP_FIRST: answers the routes as they were at the previous append. */
static struct redis_script lookup_first_script = {
	.name = "inbox append, routes of before",
	.source = APPEND "local before = KEYS[3] .. ':before'\n"
	                 "local old = redis.call('HGETALL', before)\n"
	                 "redis.call('DEL', before)\n"
	                 "for i = 1, #routes, 2 do redis.call('HSET', before, routes[i], routes[i + 1]) end\n"
	                 "return { h, n + 1, old, len, t, broken }\n",
};

/*
 * ARGV[1] the head as it is known, then the entries. 0: it is another one, or a key is of another type. Otherwise the number
 * of the last entry.
 */
#define KNOWN_APPEND                                                                                             \
	"local len = redis.pcall('RPUSH', KEYS[1], unpack(ARGV, 2))\n"                                           \
	"if type(len) == 'table' then return 0 end\n"                                                            \
	"if len == #ARGV - 1 then redis.call('PEXPIRE', KEYS[1], math.max(redis.call('PTTL', KEYS[2]), 1)) end\n" \
	"return redis.call('HINCRBY', KEYS[2], 'n', #ARGV - 1)\n"

static struct redis_script known_append_script = {
	.name = "inbox append, routes known",
	.source = "if redis.pcall('HGET', KEYS[2], 'h') ~= ARGV[1] then return 0 end\n" KNOWN_APPEND,
};

/* SABOTAGE_STALE_ROUTES: does not compare the version of the routes. */
static struct redis_script stale_append_script = {
	.name = "inbox append, routes stale",
	.source = "local h = redis.call('HGET', KEYS[2], 'h')\n"
		  "if not h or string.sub(h, 1, 55) ~= string.sub(ARGV[1], 1, 55) then return 0 end\n" KNOWN_APPEND,
};

/* SABOTAGE_APPEND_DROPPED: answers like an append, and appends nothing. */
static struct redis_script dropped_script = {
	.name = "inbox append, dropped",
	.source = INBOX_MAKE INBOX_AGE "return { h, n + 1, redis.call('HGETALL', KEYS[3]), len, t, 0 }\n",
};

/*
 * ARGV[7] epoch of the position (empty: none), ARGV[8] its offset, ARGV[9] limit. The third part of the answer is a number of
 * enum inbox_verdict. Entries below the head that the list does not hold were trimmed, or evicted with the list.
 */
static struct redis_script read_script = {
	.name = "inbox read",
	.source = INBOX_MAKE
	INBOX_AGE
	INBOX_KEEP
	          "local trimmed = n - redis.call('LLEN', KEYS[1])\n"
	          "local after = ARGV[7] == '' and trimmed or tonumber(ARGV[8])\n"
	          "if ARGV[7] ~= '' and ARGV[7] ~= e or after < trimmed then return { e, n, 1, n, {} } end\n"
	          "if after > n then return { e, n, 2, n, {} } end\n"
	          "local first = after - trimmed\n"
	          "return { e, n, 0, after, redis.call('LRANGE', KEYS[1], first, first + ARGV[9] - 1) }\n",
};

void inbox_entry_write(struct buf *out, struct str conversation_id, uint64_t seq)
{
	buf_append_str(out, conversation_id);
	buf_append_char(out, ' ');
	buf_append_u64(out, seq);
}

bool inbox_entry_parse(struct str entry, struct str *conversation_id, uint64_t *seq)
{
	struct conversation conversation;

	*conversation_id = str_cut(&entry, ' ');
	return conversation_parse(*conversation_id, &conversation) && str_to_u64(entry, seq) && *seq > 0;
}

/* ---- append ---- */

struct append {
	inbox_append_done done;
	void *arg;
	struct inbox_known known; /* of an append with it */
	size_t count;
	uint64_t most; /* entries that the list may have */
};

static bool inbox_read_appended(const redisReply *reply, struct inbox_appended *out)
{
	uint64_t number[3];

	if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 6 || reply->element[2]->type != REDIS_REPLY_ARRAY ||
	    !inbox_head_parse(redis_reply_str(reply->element[0]), &out->epoch, &out->known.version) ||
	    !str_to_u64(redis_reply_str(reply->element[4]), &out->known.marked_s))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(number); i++) {
		const redisReply *part = reply->element[i == 0 ? 1 : i == 1 ? 3 : 5];

		if (part->type != REDIS_REPLY_INTEGER || part->integer < 0)
			return false;
		number[i] = (uint64_t)part->integer;
	}
	out->offset = number[0];
	out->known.trim_after = number[1]; /* the length */
	out->inbox_was_broken = number[2] & BROKEN_INBOX;
	out->routes_were_broken = number[2] & BROKEN_ROUTES;
	out->routes = reply->element[2];
	return true;
}

static void inbox_on_appended(void *arg, err_t err, const redisReply *reply)
{
	struct append *append = arg;
	struct inbox_appended appended = { 0 };

	if (err == OK && !inbox_read_appended(reply, &appended)) {
		log_error("unexpected answer of a script", LOG_TEXT("script", append_script.name));
		err = ERR_INTERNAL;
	}
	if (err == OK) {
		uint64_t length = appended.known.trim_after;

		appended.known.epoch = appended.epoch;
		appended.known.newest = appended.offset + append->count - 1;
		appended.known.trim_after = appended.known.newest + append->most - MIN(append->most, length);
	}
	append->done(append->arg, err, err == OK ? &appended : NULL);
	mem_free(append);
}

static void inbox_on_known_appended(void *arg, err_t err, const redisReply *reply)
{
	struct append *append = arg;
	struct inbox_appended appended = { .epoch = append->known.epoch, .known = append->known };
	bool was_appended = err == OK && reply->type == REDIS_REPLY_INTEGER && reply->integer >= (int64_t)append->count;

	if (was_appended) {
		appended.known.newest = (uint64_t)reply->integer;
		appended.offset = appended.known.newest - append->count + 1;
	} else if (err == OK || err == ERR_INTERNAL) { /* ERR_INTERNAL: a key is damaged; the other script mends it */
		err = ERR_FAILED_PRECONDITION;
	}
	append->done(append->arg, err, was_appended ? &appended : NULL);
	mem_free(append);
}

static void inbox_append_known(struct redis *redis, struct str uid, const struct str *entries, struct append *append)
{
	struct str all[1 + INBOX_APPEND_MAX];
	char head[INBOX_HEAD_TEXT];
	struct user_keys keys;

	user_keys_fill(&keys, uid);
	all[0] = inbox_head_text(head, append->known.epoch, append->known.version);
	memcpy(all + 1, entries, append->count * sizeof(*entries));
	redis_eval(redis, sabotaged(SABOTAGE_STALE_ROUTES) ? &stale_append_script : &known_append_script, keys.keys, 2, all,
	           (unsigned)(1 + append->count), inbox_on_known_appended, append);
}

/* Nothing has to be trimmed, by number or by age. */
static bool inbox_is_enough(const struct inbox_known *known, const struct inbox_limits *limits, size_t count)
{
	uint64_t now_s = clock_wall_ms() / 1000;

	return known->newest + count <= known->trim_after && known->marked_s <= now_s &&
	       now_s - known->marked_s <= limits->max_age_s;
}

void inbox_append(struct redis *redis, const struct inbox_limits *limits, struct str uid, const struct inbox_known *known,
                  const struct str *entries, size_t count, inbox_append_done done, void *arg)
{
	struct append *append = MEM_NEW(struct append);
	struct user_keys keys;
	struct inbox_args args;
	char most[DECIMAL_SIZE], kept[DECIMAL_SIZE];

	assert(count > 0 && count <= INBOX_APPEND_MAX);
	*append = (struct append){ .done = done, .arg = arg, .count = count };
	append->most = (uint64_t)limits->max_entries + limits->max_entries / 10;
	struct redis_script *script = sabotaged_each(SABOTAGE_APPEND_DROPPED, 1000) ? &dropped_script :
	                              sabotaged(SABOTAGE_LOOKUP_FIRST)              ? &lookup_first_script :
	                                                                              &append_script;
	if (known && inbox_is_enough(known, limits, count) && script == &append_script) {
		append->known = *known;
		inbox_append_known(redis, uid, entries, append);
		return;
	}
	user_keys_fill(&keys, uid);
	inbox_args_fill(&args, limits);
	struct str all[APPEND_ARGS + INBOX_APPEND_MAX] = {
		args.args[0], args.args[1], args.args[2], args.args[3], args.args[4],
		decimal(most, append->most), decimal(kept, limits->max_entries),
	};
	memcpy(all + APPEND_ARGS, entries, count * sizeof(*entries));
	redis_eval(redis, script, keys.keys, ARRAY_LEN(keys.keys), all, (unsigned)(APPEND_ARGS + count),
	           inbox_on_appended, append);
}

/* ---- read ---- */

struct str inbox_page_entry(const struct inbox_page *page, size_t index)
{
	return redis_reply_str(page->entries->element[index]);
}

struct read {
	inbox_read_done done;
	void *arg;
};

static bool inbox_read_page(const redisReply *reply, struct inbox_page *page)
{
	if (!inbox_read_answer(reply, 5, &page->epoch, &page->head) || reply->element[2]->type != REDIS_REPLY_INTEGER ||
	    reply->element[3]->type != REDIS_REPLY_INTEGER || reply->element[4]->type != REDIS_REPLY_ARRAY)
		return false;
	page->verdict = (enum inbox_verdict)reply->element[2]->integer;
	page->after = (uint64_t)reply->element[3]->integer;
	page->entries = reply->element[4];
	page->count = page->entries->elements;
	return true;
}

static void inbox_on_read(void *arg, err_t err, const redisReply *reply)
{
	struct read *read = arg;
	struct inbox_page page = { 0 };

	if (err == OK && !inbox_read_page(reply, &page)) {
		log_error("unexpected answer of a script", LOG_TEXT("script", read_script.name));
		err = ERR_INTERNAL;
	}
	read->done(read->arg, err, err == OK ? &page : NULL);
	mem_free(read);
}

void inbox_read(struct redis *redis, const struct inbox_limits *limits, struct str uid, const struct inbox_position *position,
                unsigned limit, inbox_read_done done, void *arg)
{
	struct read *read = MEM_NEW(struct read);
	struct user_keys keys;
	struct inbox_args args;
	char epoch[INBOX_EPOCH_TEXT] = "", offset[DECIMAL_SIZE], most[DECIMAL_SIZE];

	*read = (struct read){ done, arg };
	user_keys_fill(&keys, uid);
	inbox_args_fill(&args, limits);
	if (position)
		inbox_epoch_text(epoch, position->epoch <= INBOX_EPOCH_MAX ? position->epoch : 0);
	const struct str all[] = {
		args.args[0], args.args[1], args.args[2], args.args[3], args.args[4], args.args[5], str_from(epoch),
		decimal(offset, position ? MIN(position->offset, OFFSET_MAX) : 0), decimal(most, limit),
	};
	redis_eval(redis, &read_script, keys.keys, ARRAY_LEN(keys.keys), all, ARRAY_LEN(all), inbox_on_read, read);
}
