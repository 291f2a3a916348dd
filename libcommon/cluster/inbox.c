#include "cluster/inbox.h"

#include <assert.h>
#include <string.h>

#include "base/text/ident.h"
#include "base/telemetry/log.h"
#include "base/mem.h"
#include "base/sabotage.h"
#include "cluster/user_script.h"

/* Lua's numbers are doubles. No inbox has so many entries, so a larger offset compares like this one. */
#define OFFSET_MAX (1ull << 53)

/*
 * ARGV[6] is the length from which the list is trimmed, ARGV[7] the length that is kept, then the entries. A list that is new
 * (the inbox was empty, or Redis evicted the list alone) gets the same expiry as the meta hash.
 */
#define APPEND_ARGS 7
#define APPEND                                                                                                   \
	INBOX_MAKE                                                                                               \
	INBOX_AGE                                                                                                \
	"local count = #ARGV - 7\n"                                                                              \
	"n = redis.call('HINCRBY', KEYS[2], 'n', count)\n"                                                       \
	"local len = redis.call('RPUSH', KEYS[1], unpack(ARGV, 8))\n"                                            \
	"if len > tonumber(ARGV[6]) then redis.call('LTRIM', KEYS[1], -ARGV[7], -1) end\n"                       \
	"if len == count then redis.call('PEXPIRE', KEYS[1], math.max(redis.call('PTTL', KEYS[2]), 1)) end\n"    \
	"local routes = redis.call('HGETALL', KEYS[3])\n"

static struct redis_script append_script = {
	.name = "inbox append",
	.source = APPEND "return { e, n - count + 1, routes }\n",
};

/* SABOTAGE_LOOKUP_FIRST: answers the routes as they were at the previous append. */
static struct redis_script lookup_first_script = {
	.name = "inbox append, routes of before",
	.source = APPEND "local before = KEYS[3] .. ':before'\n"
	                 "local old = redis.call('HGETALL', before)\n"
	                 "redis.call('DEL', before)\n"
	                 "for i = 1, #routes, 2 do redis.call('HSET', before, routes[i], routes[i + 1]) end\n"
	                 "return { e, n - count + 1, old }\n",
};

/* SABOTAGE_APPEND_DROPPED: answers like an append, and appends nothing. */
static struct redis_script dropped_script = {
	.name = "inbox append, dropped",
	.source = INBOX_MAKE "return { e, n + 1, redis.call('HGETALL', KEYS[3]) }\n",
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
	          "n = tonumber(n)\n"
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

static struct redis_script *inbox_append_script(void)
{
	if (sabotaged_each(SABOTAGE_APPEND_DROPPED, 1000))
		return &dropped_script;
	return sabotaged(SABOTAGE_LOOKUP_FIRST) ? &lookup_first_script : &append_script;
}

struct append {
	inbox_append_done done;
	void *arg;
};

static void inbox_on_appended(void *arg, err_t err, const redisReply *reply)
{
	struct append *append = arg;
	struct inbox_appended appended = { 0 };

	if (err == OK && (!inbox_read_answer(reply, 3, &appended.epoch, &appended.offset) ||
	                  reply->element[2]->type != REDIS_REPLY_ARRAY)) {
		log_error("unexpected answer of a script", LOG_TEXT("script", append_script.name));
		err = ERR_INTERNAL;
	}
	if (err == OK)
		appended.routes = reply->element[2];
	append->done(append->arg, err, err == OK ? &appended : NULL);
	mem_free(append);
}

void inbox_append(struct redis *redis, const struct inbox_limits *limits, struct str uid, const struct str *entries,
                  size_t count, inbox_append_done done, void *arg)
{
	struct append *append = MEM_NEW(struct append);
	struct user_keys keys;
	struct inbox_args args;
	char most[DECIMAL_SIZE], kept[DECIMAL_SIZE];

	assert(count > 0 && count <= INBOX_APPEND_MAX);
	*append = (struct append){ done, arg };
	user_keys_fill(&keys, uid);
	inbox_args_fill(&args, limits);
	struct str all[APPEND_ARGS + INBOX_APPEND_MAX] = {
		args.args[0], args.args[1], args.args[2], args.args[3], args.args[4],
		decimal(most, (uint64_t)limits->max_entries + limits->max_entries / 10),
		decimal(kept, limits->max_entries),
	};
	memcpy(all + APPEND_ARGS, entries, count * sizeof(*entries));
	redis_eval(redis, inbox_append_script(), keys.keys, ARRAY_LEN(keys.keys), all, (unsigned)(APPEND_ARGS + count),
	           inbox_on_appended, append);
}

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
