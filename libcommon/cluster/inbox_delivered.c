#include "cluster/inbox_delivered.h"

#include "base/mem.h"
#include "cluster/user_script.h"

#define LARGEST (1ull << 53) /* Lua's numbers are doubles; no inbox has so many entries */

/* ARGV[1] epoch, ARGV[2] after, ARGV[3] up_to, ARGV[4] how many at most. LRANGE counts a negative index from the end. */
static struct redis_script delivered_script = {
	.name = "inbox delivered",
	.source = "local m = redis.pcall('HMGET', KEYS[2], 'h', 'n', 'd')\n"
		  "if m.err or not m[1] or string.sub(m[1], 41, 55) ~= ARGV[1] then return {} end\n"
		  "local n = tonumber(m[2] or '') or 0\n"
		  "local up_to = math.min(tonumber(ARGV[3]), n)\n"
		  "local after = math.max(tonumber(ARGV[2]), tonumber(m[3] or '') or 0, up_to - ARGV[4])\n"
		  "if after >= up_to then return {} end\n"
		  "redis.call('HSET', KEYS[2], 'd', up_to)\n"
		  "local len = redis.pcall('LLEN', KEYS[1])\n"
		  "if type(len) == 'table' or up_to <= n - len then return {} end\n"
		  "return redis.call('LRANGE', KEYS[1], math.max(after - (n - len), 0), up_to - (n - len) - 1)\n",
};

struct delivered_claim {
	inbox_delivered_done done;
	void *arg;
};

static void inbox_delivered_on_answer(void *arg, err_t err, const redisReply *reply)
{
	struct delivered_claim *claim = arg;
	struct str entries[INBOX_DELIVERED_MAX];
	size_t count = 0;

	if (!err && reply->type != REDIS_REPLY_ARRAY)
		err = ERR_INTERNAL;
	for (size_t i = 0; !err && i < reply->elements && count < INBOX_DELIVERED_MAX; i++)
		entries[count++] = redis_reply_str(reply->element[i]);
	claim->done(claim->arg, err, entries, count);
	mem_free(claim);
}

void inbox_claim_delivered(struct redis *redis, struct str uid, const struct inbox_range *range, inbox_delivered_done done,
                           void *arg)
{
	struct delivered_claim *claim = MEM_NEW(struct delivered_claim);
	struct user_keys keys;
	char epoch[INBOX_EPOCH_TEXT], after[DECIMAL_SIZE], up_to[DECIMAL_SIZE], most[DECIMAL_SIZE];

	*claim = (struct delivered_claim){ done, arg };
	user_keys_fill(&keys, uid);
	inbox_epoch_text(epoch, range->epoch <= INBOX_EPOCH_MAX ? range->epoch : 0);
	const struct str args[] = {
		str_from(epoch), decimal(after, MIN(range->after, LARGEST)), decimal(up_to, MIN(range->up_to, LARGEST)),
		decimal(most, INBOX_DELIVERED_MAX),
	};
	redis_eval(redis, &delivered_script, keys.keys, 2, args, ARRAY_LEN(args), inbox_delivered_on_answer, claim);
}
