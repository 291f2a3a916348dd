#include "cluster/rate_bucket.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/macros.h"
#include "base/mem.h"

/*
 * KEYS[1] the bucket: "<tokens that are missing> <when, in milliseconds>". ARGV[1] tokens a second, [2] burst, [3] count, [4] mode.
 * A time in the future was written before the clock was set back: nothing is refilled then. Rounded as base/rate_limit.c does.
 */
static struct redis_script take_script = {
	.name = "rate bucket take",
	.source = "local t = redis.call('TIME')\n"
	          "local now = t[1] * 1000 + math.floor(t[2] / 1000)\n"
	          "local rate, burst, count = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])\n"
	          "local missing, at = string.match(redis.call('GET', KEYS[1]) or '', '^(%S+) (%d+)$')\n"
	          "missing = math.max(0, (tonumber(missing) or 0) - math.max(0, now - (tonumber(at) or now)) * rate / 1000)\n"
	          "local left = burst - missing + 1e-6\n"
	          "local is_taken = ARGV[4] == '1' or left >= count\n"
	          "if is_taken then\n"
	          "  missing = math.max(0, missing + count)\n"
	          "  left = burst - missing + 1e-6\n"
	          "  if missing < 1e-6 then\n"
	          "    redis.call('DEL', KEYS[1])\n"
	          "  else\n"
	          "    redis.call('SET', KEYS[1], string.format('%.6f %.0f', missing, now), 'PX',\n"
	          "      string.format('%.0f', math.ceil(missing / rate * 1000)))\n"
	          "  end\n"
	          "end\n"
	          "local wait = 0\n"
	          "if left < 1 then wait = math.max(1, math.ceil((1 - left) / rate * 1000)) end\n"
	          "return { is_taken and 1 or 0, math.floor(left), wait }\n",
};

struct taking {
	rate_bucket_done done;
	void *arg;
};

static bool rate_bucket_read(const redisReply *reply, struct rate_bucket_state *state)
{
	if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 3)
		return false;
	for (size_t i = 0; i < reply->elements; i++)
		if (reply->element[i]->type != REDIS_REPLY_INTEGER)
			return false;
	state->is_taken = reply->element[0]->integer == 1;
	state->left = reply->element[1]->integer;
	state->wait_ms = (uint64_t)MAX(reply->element[2]->integer, 0);
	return true;
}

static void rate_bucket_on_taken(void *arg, err_t err, const redisReply *reply)
{
	struct taking *taking = arg;
	struct rate_bucket_state state = { 0 };

	if (!err && !rate_bucket_read(reply, &state))
		err = ERR_INTERNAL;
	taking->done(taking->arg, err, err ? NULL : &state);
	mem_free(taking);
}

void rate_bucket_take(struct redis *redis, struct str class, struct str key, const struct rate_bucket_limit *limit, int64_t count,
                      enum rate_bucket_mode mode, rate_bucket_done done, void *arg)
{
	char name[RATE_BUCKET_KEY_MAX], rate[32], burst[32], number[32];
	struct taking *taking = NULL;

	int len = snprintf(name, sizeof(name), "im:rate:%.*s:{%.*s}", STR_ARG(class), STR_ARG(key));
	const struct str keys[] = { str_of(name, MIN((size_t)len, sizeof(name) - 1)) };
	snprintf(rate, sizeof(rate), "%.17g", limit->per_second);
	snprintf(burst, sizeof(burst), "%.17g", MAX(limit->burst, 1.0));
	snprintf(number, sizeof(number), "%" PRId64, count);
	const struct str args[] = { str_from(rate), str_from(burst), str_from(number),
		                    mode == RATE_BUCKET_OWED ? STR("1") : STR("0") };
	if (done) {
		taking = MEM_NEW(struct taking);
		*taking = (struct taking){ done, arg };
	}
	redis_eval(redis, &take_script, keys, ARRAY_LEN(keys), args, ARRAY_LEN(args), taking ? rate_bucket_on_taken : NULL, taking);
}
