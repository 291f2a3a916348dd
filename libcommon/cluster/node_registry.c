#include "cluster/node_registry.h"

#include <assert.h>

#include "base/clock.h"
#include "base/telemetry/log.h"
#include "base/mem.h"
#include "base/text/decimal.h"
#include "cluster/node_record.h"

/*
 * A registration takes two steps, because the two keys may be on two nodes of a Redis cluster. First im:nodes gives the epoch
 * and remembers it beyond the life of the registration. Then the gateway's own key is written, unless a later epoch has been
 * written meanwhile.
 */

/* KEYS[1] im:nodes; ARGV[1] name. */
#define LAST_EPOCH                                                             \
	"local old = redis.call('HGET', KEYS[1], ARGV[1]) or ''\n"             \
	"local last = tonumber(string.match(old, '^%d+') or 0)\n"

/* ARGV[2] now. The epoch is formatted here and answered as text: Lua's tostring() would write 1.7e12. */
static struct redis_script draw_script = {
	.name = "node draw epoch",
	.source = LAST_EPOCH
	          "local epoch = string.format('%.0f', math.max(tonumber(ARGV[2]), last + 1))\n"
	          "redis.call('HSET', KEYS[1], ARGV[1], epoch .. '|' .. ARGV[2])\n"
	          "return epoch\n",
};

/* ARGV[2] epoch, ARGV[3] the new value, written unless a later epoch is there. */
static struct redis_script touch_script = {
	.name = "node touch",
	.source = LAST_EPOCH
	          "if last > tonumber(ARGV[2]) then return 0 end\n"
	          "return redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])\n",
};

/* KEYS[1] node; ARGV[1] life in ms, ARGV[2] epoch, then field, value ... */
#define WRITE_NODE                                                             \
	"redis.call('DEL', KEYS[1])\n"                                         \
	"redis.call('HSET', KEYS[1], 'epoch', ARGV[2], unpack(ARGV, 3))\n"     \
	"redis.call('PEXPIRE', KEYS[1], ARGV[1])\n"

static struct redis_script put_script = {
	.name = "node put",
	.source = "local old = redis.call('HGET', KEYS[1], 'epoch')\n"
	          "if (tonumber(old or 0) or 0) > tonumber(ARGV[2]) then return 0 end\n"
	WRITE_NODE
	          "return 1\n",
};

static struct redis_script renew_script = {
	.name = "node renew",
	.source = "local old = redis.call('HGET', KEYS[1], 'epoch')\n"
	          "if old and old ~= ARGV[2] then return 0 end\n"
	WRITE_NODE
	          "return old and 1 or 2\n",
};

static struct redis_script remove_script = {
	.name = "node remove",
	.source = "if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return 0 end\n"
	          "return redis.call('DEL', KEYS[1])\n",
};

struct change {
	struct redis *redis;
	struct node node;
	node_registered_done registered; /* NULL unless this is a registration */
	node_renewed_done renewed; /* may be NULL */
	void *arg;
};

static struct change *node_registry_change_new(struct redis *redis, const struct node *node, void *arg)
{
	struct change *change = MEM_NEW(struct change);

	change->redis = redis;
	change->node = *node;
	change->arg = arg;
	return change;
}

static void node_registry_end_change(struct change *change, err_t err, bool was_out)
{
	if (change->registered)
		change->registered(change->arg, err, err == OK ? change->node.epoch : 0);
	if (change->renewed)
		change->renewed(change->arg, err, was_out);
	mem_free(change);
}

static bool node_registry_is_number(const redisReply *reply, long long number)
{
	return reply->type == REDIS_REPLY_INTEGER && reply->integer == number;
}

static void node_registry_on_changed(void *arg, err_t err, const redisReply *reply)
{
	if (err == OK && !node_registry_is_number(reply, 1))
		err = ERR_FAILED_PRECONDITION;
	node_registry_end_change(arg, err, false);
}

static void node_registry_write(struct change *change, struct redis_script *script, redis_done done)
{
	struct node_record record;
	struct node_key key;
	struct str args[2 + NODE_RECORD_ARGS] = { STR("8000") };

	_Static_assert(NODE_LIFE_S == 8, "ARGV[1] above is NODE_LIFE_S in milliseconds");
	node_record_write(&record, &change->node);
	args[1] = record.epoch;
	memcpy(args + 2, record.args, sizeof(record.args));
	node_key_fill(&key, str_from(change->node.name));
	redis_eval(change->redis, script, &key.key, 1, args, ARRAY_LEN(args), done, change);
}

/* ---- register ---- */

static void node_registry_on_drawn(void *arg, err_t err, const redisReply *reply)
{
	struct change *change = arg;

	if (err == OK && !str_to_u64(redis_reply_str(reply), &change->node.epoch)) {
		log_error("unexpected answer of a script", LOG_TEXT("script", draw_script.name));
		err = ERR_INTERNAL;
	}
	if (err == OK)
		node_registry_write(change, &put_script, node_registry_on_changed);
	else
		node_registry_end_change(change, err, false);
}

void node_register(struct redis *redis, const struct node *node, node_registered_done done, void *arg)
{
	struct change *change = node_registry_change_new(redis, node, arg);
	char now[DECIMAL_SIZE];
	const struct str key = NODES_KEY;

	change->registered = done;
	const struct str args[] = { str_from(node->name), decimal(now, clock_wall_ms()) };
	redis_eval(redis, &draw_script, &key, 1, args, ARRAY_LEN(args), node_registry_on_drawn, change);
}

/* ---- renew ---- */

static void node_registry_on_renewed(void *arg, err_t err, const redisReply *reply)
{
	struct change *change = arg;
	bool was_out = err == OK && node_registry_is_number(reply, 2);

	if (err == OK && !was_out && !node_registry_is_number(reply, 1))
		err = ERR_FAILED_PRECONDITION;
	/* Notes in im:nodes that the node was seen, also after Redis forgot it. No retry: the next renewal does it again. */
	if (err == OK) {
		const struct node *node = &change->node;
		const struct str key = NODES_KEY;
		char epoch[DECIMAL_SIZE];
		struct buf seen = { 0 };

		node_seen_write(&seen, node->epoch, clock_wall_ms());
		const struct str args[] = { str_from(node->name), decimal(epoch, node->epoch), buf_str(&seen) };
		redis_eval(change->redis, &touch_script, &key, 1, args, ARRAY_LEN(args), NULL, NULL);
		buf_release(&seen);
	}
	node_registry_end_change(change, err, was_out);
}

void node_renew(struct redis *redis, const struct node *node, node_renewed_done done, void *arg)
{
	struct change *change = node_registry_change_new(redis, node, arg);

	change->renewed = done;
	node_registry_write(change, &renew_script, node_registry_on_renewed);
}

/* ---- remove ---- */

void node_remove(struct redis *redis, struct str name, uint64_t epoch, node_renewed_done done, void *arg)
{
	struct node node = { .epoch = epoch };
	struct node_key key;
	char text[DECIMAL_SIZE];

	bool fits = str_copy(node.name, sizeof(node.name), name);
	assert(fits);
	(void)fits;
	struct change *change = node_registry_change_new(redis, &node, arg);
	change->renewed = done;
	node_key_fill(&key, name);
	const struct str arg_epoch = decimal(text, epoch);
	redis_eval(redis, &remove_script, &key.key, 1, &arg_epoch, 1, node_registry_on_changed, change);
}
