#include "cluster/push_load.h"

#include "base/mem.h"
#include "base/text/decimal.h"

#define LOAD_KEY STR("im:push:load")

/* Sets `now` to the time of Redis's clock, in milliseconds. */
#define NOW                                                                    \
	"local t = redis.call('TIME')\n"                                       \
	"local now = t[1] * 1000 + math.floor(t[2] / 1000)\n"

/* KEYS[1] the hash; ARGV[1] name, ARGV[2] wait. The field of a removed push stays until all pushes are silent for a minute. */
static struct redis_script write_script = {
	.name = "push load write",
	.source = NOW
	          "redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. '|' .. string.format('%.0f', now))\n"
	          "return redis.call('PEXPIRE', KEYS[1], 60000)\n",
};

/* ARGV[1] the life of a report. A report of the future was written before the clock was set back. */
static struct redis_script read_script = {
	.name = "push load read",
	.source = NOW
	          "local most = 0\n"
	          "for _, report in ipairs(redis.call('HVALS', KEYS[1])) do\n"
	          "  local wait, at = string.match(report, '^(%d+)|(%d+)$')\n"
	          "  if wait and math.abs(now - at) <= tonumber(ARGV[1]) then most = math.max(most, math.min(wait, 1e9)) end\n"
	          "end\n"
	          "return most\n",
};

void push_load_write(struct redis *redis, struct str push_name, unsigned wait_ms)
{
	const struct str key = LOAD_KEY;
	char wait[DECIMAL_SIZE];
	const struct str args[] = { push_name, decimal(wait, wait_ms) };

	redis_eval(redis, &write_script, &key, 1, args, ARRAY_LEN(args), NULL, NULL);
}

struct reading {
	push_load_done done;
	void *arg;
};

static void push_load_on_read(void *arg, err_t err, const redisReply *reply)
{
	struct reading *reading = arg;
	unsigned wait_ms = 0;

	if (!err && reply->type == REDIS_REPLY_INTEGER && reply->integer > 0)
		wait_ms = (unsigned)MIN(reply->integer, UINT32_MAX);
	reading->done(reading->arg, err, wait_ms);
	mem_free(reading);
}

void push_load_read(struct redis *redis, push_load_done done, void *arg)
{
	const struct str key = LOAD_KEY;
	char life[DECIMAL_SIZE];
	const struct str args[] = { decimal(life, PUSH_LOAD_LIFE_MS) };
	struct reading *reading = MEM_NEW(struct reading);

	*reading = (struct reading){ done, arg };
	redis_eval(redis, &read_script, &key, 1, args, ARRAY_LEN(args), push_load_on_read, reading);
}
