#include "store/inbox.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "store/user_script.h"

#define EPOCH_DIGITS (INBOX_EPOCH_TEXT - 1)
#define EPOCH_MAX ((1ull << 4 * EPOCH_DIGITS) - 1)

/*
 * ARGV[6] entry, ARGV[7] most entries before trimming, ARGV[8] how many to keep. A list that was evicted alone begins
 * again behind its old number, and needs a life of its own.
 */
static struct redis_script append_script = {
	.name = "inbox append",
	.source = INBOX_MAKE
	          "n = redis.call('HINCRBY', KEYS[2], 'n', '1')\n"
	          "local len = redis.call('RPUSH', KEYS[1], ARGV[6])\n"
	          "if len > tonumber(ARGV[7]) then redis.call('LTRIM', KEYS[1], -ARGV[8], -1) end\n"
	          "keep = keep or len == 1\n"
	INBOX_KEEP
	          "return { e, n, redis.call('HGETALL', KEYS[3]) }\n",
};

uint64_t inbox_fresh_epoch(void)
{
	uint64_t epoch;

	do
		epoch = random_u64() & EPOCH_MAX;
	while (epoch == 0);
	return epoch;
}

void inbox_epoch_text(char out[INBOX_EPOCH_TEXT], uint64_t epoch)
{
	for (int i = EPOCH_DIGITS - 1; i >= 0; i--, epoch >>= 4)
		out[i] = "0123456789abcdef"[epoch & 15];
	out[EPOCH_DIGITS] = '\0';
}

uint64_t inbox_epoch_parse(struct str text)
{
	uint64_t epoch = 0;

	if (text.len != EPOCH_DIGITS)
		return 0;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		if (c >= '0' && c <= '9')
			epoch = epoch << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			epoch = epoch << 4 | (uint64_t)(c - 'a' + 10);
		else
			return 0;
	}
	return epoch;
}

void inbox_entry_write(struct buf *out, struct str conversation_id, uint64_t seq)
{
	buf_append_str(out, conversation_id);
	buf_append_char(out, ' ');
	buf_append_u64(out, seq);
}

struct append {
	inbox_append_done done;
	void *arg;
};

static void on_appended(void *arg, err_t err, const redisReply *reply)
{
	struct append *append = arg;
	struct inbox_appended appended = { 0 };

	if (err == OK && (!inbox_read_answer(reply, 3, &appended.epoch, &appended.offset) ||
	                  reply->element[2]->type != REDIS_REPLY_ARRAY)) {
		log_error("the answer of a script is not what it returns", LOG_TEXT("script", append_script.name));
		err = ERR_INTERNAL;
	}
	if (err == OK)
		appended.routes = reply->element[2];
	append->done(append->arg, err, err == OK ? &appended : NULL);
	mem_free(append);
}

void inbox_append(struct redis *redis, const struct inbox_limits *limits, struct str uid, struct str entry,
                  inbox_append_done done, void *arg)
{
	struct append *append = MEM_NEW(struct append);
	struct user_keys keys;
	struct inbox_args args;
	char most[DECIMAL_SIZE], kept[DECIMAL_SIZE];

	*append = (struct append){ done, arg };
	user_keys_fill(&keys, uid);
	inbox_args_fill(&args, limits);
	const struct str all[] = {
		args.args[0], args.args[1], args.args[2], args.args[3], args.args[4], entry,
		decimal(most, (uint64_t)limits->max_entries + limits->max_entries / 10),
		decimal(kept, limits->max_entries),
	};
	redis_eval(redis, &append_script, keys.keys, ARRAY_LEN(keys.keys), all, ARRAY_LEN(all), on_appended, append);
}
