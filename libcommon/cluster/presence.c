#include "cluster/presence.h"

#include "base/mem.h"
#include "base/text/buf.h"
#include "base/text/decimal.h"
#include "base/text/ident.h"
#include "cluster/user_script.h"

#define DUE_KEY STR("im:presence:due")
#define HELD_KEY STR("im:presence:held:{im:presence:due}") /* in the slot of the other one */

void presence_key_fill(struct presence_key *key, struct str uid)
{
	struct str parts[] = { STR("im:presence:{"), uid, STR("}") };
	size_t len = 0;

	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		memcpy(key->text + len, parts[i].ptr, parts[i].len);
		len += parts[i].len;
	}
	key->key = str_of(key->text, len);
}

struct presence presence_read(const redisReply *reply)
{
	struct str text = redis_reply_str(reply);
	struct presence presence = { 0 };

	if (text.len && text.ptr[text.len - 1] == '?') {
		presence.is_untold = true;
		text.len--;
	}
	if (text.len && text.ptr[0] == '+') {
		presence.is_online = true;
		presence.home = str_of(text.ptr + 1, text.len - 1);
	}
	if (!presence.is_online && !str_to_u64(text, &presence.last_seen_ms))
		presence.last_seen_ms = 0;
	return presence;
}

/* ---- what router notes ---- */

static struct buf presence_node_name(struct str node, uint64_t epoch)
{
	struct buf name = { 0 };

	buf_append_str(&name, node);
	buf_append_char(&name, '|');
	buf_append_u64(&name, epoch);
	return name;
}

struct buf presence_at_key(struct str node_name)
{
	struct buf key = { 0 };

	buf_append_str(&key, STR("im:presence:at:{"));
	buf_append_str(&key, node_name);
	buf_append_char(&key, '}');
	return key;
}

static void presence_note_due(struct redis *redis, struct str uid, uint64_t ended_ms)
{
	char score[DECIMAL_SIZE];
	const struct str args[] = { STR("ZADD"), DUE_KEY, decimal(score, ended_ms), uid };

	redis_command(redis, args, ARRAY_LEN(args), NULL, NULL);
}

void presence_note_came(struct redis *redis, struct str uid)
{
	presence_note_due(redis, uid, 0);
}

void presence_note_ended(struct redis *redis, struct str uid, uint64_t now_ms)
{
	presence_note_due(redis, uid, now_ms);
}

void presence_note_node(struct redis *redis, struct str node, uint64_t node_epoch)
{
	struct buf name = presence_node_name(node, node_epoch);
	const struct str args[] = { STR("HSETNX"), PRESENCE_NODES_KEY, buf_str(&name), STR("") };

	redis_command(redis, args, ARRAY_LEN(args), NULL, NULL);
	buf_release(&name);
}

void presence_note_all(struct redis *redis, const struct str *uids, size_t count, uint64_t ended_ms, redis_done done, void *arg)
{
	struct str *args = mem_alloc((3 + 2 * count) * sizeof(*args));
	char score[DECIMAL_SIZE];
	size_t used = 0;

	args[used++] = STR("ZADD");
	args[used++] = DUE_KEY;
	args[used++] = STR("GT"); /* a later end of a connection stands */
	for (size_t i = 0; i < count; i++) {
		args[used++] = decimal(score, ended_ms);
		args[used++] = uids[i];
	}
	redis_command(redis, args, (unsigned)used, done, arg);
	mem_free(args);
}

/* ---- claims ---- */

/*
 * KEYS[1] the list, KEYS[2] who is held; ARGV[1] what ended up to this time is due, ARGV[2] the lease, ARGV[3] how
 * many, ARGV[4] now, ARGV[5] until when they are held. Nobody is held for two leases but by a wrong clock. It looks at
 * four times as many as it claims, because some may be held.
 */
static struct redis_script claim_script = {
	.name = "presence claim",
	.source = "redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', ARGV[4])\n"
	          "redis.call('ZREMRANGEBYSCORE', KEYS[2], string.format('%.0f', ARGV[5] + ARGV[2]), '+inf')\n"
	          "local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'WITHSCORES', 'LIMIT', 0, 4 * ARGV[3])\n"
	          "local claims = {}\n"
	          "for i = 1, #due, 2 do\n"
	          "  if #claims < 3 * ARGV[3] and not redis.call('ZSCORE', KEYS[2], due[i]) then\n"
	          "    local lease = string.format('%.0f', math.max(tonumber(due[i + 1]), tonumber(ARGV[1])) + ARGV[2])\n"
	          "    redis.call('ZADD', KEYS[1], lease, due[i])\n"
	          "    redis.call('ZADD', KEYS[2], ARGV[5], due[i])\n"
	          "    claims[#claims + 1], claims[#claims + 2], claims[#claims + 3] = due[i], due[i + 1], lease\n"
	          "  end\n"
	          "end\n"
	          "return claims\n",
};

/* ARGV[1] uid, ARGV[2] the claim's lease, ARGV[3] until when it holds the user, ARGV[4] until when the user rests;
 * ARGV[5] 1: decided. */
static struct redis_script end_script = {
	.name = "presence end",
	.source = "local held = redis.call('ZSCORE', KEYS[2], ARGV[1])\n"
	          "if held and tonumber(held) == tonumber(ARGV[3]) then redis.call('ZADD', KEYS[2], ARGV[4], ARGV[1]) end\n"
	          "local score = ARGV[5] == '1' and redis.call('ZSCORE', KEYS[1], ARGV[1])\n"
	          "if score and tonumber(score) == tonumber(ARGV[2]) then redis.call('ZREM', KEYS[1], ARGV[1]) end\n"
	          "return 0\n",
};

struct claiming {
	presence_claimed done;
	void *arg;
	uint64_t held_until_ms;
};

static void presence_on_claimed(void *arg, err_t err, const redisReply *reply)
{
	struct claiming *claiming = arg;
	struct presence_claim claims[PRESENCE_CLAIMS_MAX];
	size_t count = 0;

	for (size_t i = 0; !err && i + 2 < reply->elements && count < PRESENCE_CLAIMS_MAX; i += 3) {
		struct presence_claim *claim = &claims[count];

		claim->held_until_ms = claiming->held_until_ms;
		claim->uid = redis_reply_str(reply->element[i]);
		if (ident_is_valid(claim->uid) && str_to_u64(redis_reply_str(reply->element[i + 1]), &claim->ended_ms) &&
		    str_to_u64(redis_reply_str(reply->element[i + 2]), &claim->lease))
			count++;
	}
	claiming->done(claiming->arg, err, claims, count);
	mem_free(claiming);
}

void presence_claim(struct redis *redis, uint64_t now_ms, uint64_t delay_ms, presence_claimed done, void *arg)
{
	struct claiming *claiming = MEM_NEW(struct claiming);
	const struct str keys[] = { DUE_KEY, HELD_KEY };
	char until[DECIMAL_SIZE], lease[DECIMAL_SIZE], max[DECIMAL_SIZE], now[DECIMAL_SIZE], held[DECIMAL_SIZE];

	*claiming = (struct claiming){ done, arg, now_ms + PRESENCE_LEASE_MS };
	const struct str args[] = { decimal(until, now_ms - delay_ms), decimal(lease, PRESENCE_LEASE_MS),
		                    decimal(max, PRESENCE_CLAIMS_MAX), decimal(now, now_ms),
		                    decimal(held, claiming->held_until_ms) };
	redis_eval(redis, &claim_script, keys, ARRAY_LEN(keys), args, ARRAY_LEN(args), presence_on_claimed, claiming);
}

void presence_end_claim(struct redis *redis, const struct presence_claim *claim, enum presence_change change, uint64_t now_ms)
{
	const struct str keys[] = { DUE_KEY, HELD_KEY };
	bool is_decided = change == PRESENCE_SAME || change == PRESENCE_NEWS;
	char lease[DECIMAL_SIZE], held[DECIMAL_SIZE], rest[DECIMAL_SIZE];
	const struct str args[] = { claim->uid, decimal(lease, claim->lease), decimal(held, claim->held_until_ms),
		                    decimal(rest, change == PRESENCE_NEWS ? now_ms + PRESENCE_REST_MS : 0),
		                    is_decided ? STR("1") : STR("0") };

	redis_eval(redis, &end_script, keys, ARRAY_LEN(keys), args, ARRAY_LEN(args), NULL, NULL);
}

/* ---- the user's key ---- */

static void presence_at_home(struct redis *redis, struct str command, struct str uid, struct str home)
{
	struct buf key = presence_at_key(home);
	const struct str args[] = { command, buf_str(&key), uid };

	redis_command(redis, args, ARRAY_LEN(args), NULL, NULL);
	buf_release(&key);
}

void presence_move_in(struct redis *redis, struct str uid, struct str home)
{
	presence_at_home(redis, STR("SADD"), uid, home);
}

void presence_move_out(struct redis *redis, struct str uid, struct str home)
{
	presence_at_home(redis, STR("SREM"), uid, home);
}

/*
 * KEYS[1] the user's key, KEYS[2] the routes; ARGV[1] the routes that were found, ARGV[2] "+" and the home if they mean
 * online, ARGV[3] when the last connection ended, ARGV[4] how long that is kept. Nobody is told of a user who came and
 * went unnoticed, but the time counts.
 */
static struct redis_script settle_script = {
	.name = "presence settle",
	.source = "local routes = redis.pcall('HGETALL', KEYS[2])\n"
	          "if routes.err or table.concat(routes, '\\n') ~= ARGV[1] then return 0 end\n"
	          "local key = redis.pcall('GET', KEYS[1])\n"
	          "if type(key) ~= 'string' then key = '' end\n"
	          "local is_online, is_untold = string.sub(key, 1, 1) == '+', string.sub(key, -1) == '?'\n"
	          "if ARGV[2] ~= '' then\n"
	          "  if not is_online then is_untold = true end\n"
	          "  redis.call('SET', KEYS[1], ARGV[2] .. (is_untold and '?' or ''))\n"
	          "  return is_untold and 2 or 1\n"
	          "end\n"
	          "if is_online then\n"
	          "  redis.call('SET', KEYS[1], ARGV[3] .. '?', 'EX', ARGV[4])\n"
	          "  return 2\n"
	          "end\n"
	          "if (tonumber(string.match(key, '^%d+')) or 0) < tonumber(ARGV[3]) then\n"
	          "  redis.call('SET', KEYS[1], ARGV[3] .. (is_untold and '?' or ''), 'EX', ARGV[4])\n"
	          "end\n"
	          "return is_untold and 2 or 1\n",
};

/* KEYS[1] the user's key; ARGV[1] what was told. */
static struct redis_script told_script = {
	.name = "presence told",
	.source = "if redis.pcall('GET', KEYS[1]) ~= ARGV[1] .. '?' then return 0 end\n"
	          "redis.call('SET', KEYS[1], ARGV[1], 'KEEPTTL')\n"
	          "return 1\n",
};

struct settling {
	presence_settled done;
	void *arg;
};

static void presence_on_settled(void *arg, err_t err, const redisReply *reply)
{
	struct settling *settling = arg;
	bool is_answer = !err && reply->type == REDIS_REPLY_INTEGER && reply->integer >= 0 && reply->integer <= PRESENCE_NEWS;

	settling->done(settling->arg, is_answer ? (enum presence_change)reply->integer : PRESENCE_UNKNOWN);
	mem_free(settling);
}

/* What the key of a user says who is online; empty: the user is not. */
static struct buf presence_online_text(const struct presence_found *found)
{
	struct buf text = { 0 };

	if (found->home.len)
		buf_append_char(&text, '+');
	buf_append_str(&text, found->home);
	return text;
}

void presence_settle(struct redis *redis, const struct presence_found *found, uint64_t keep_s, presence_settled done, void *arg)
{
	struct settling *settling = MEM_NEW(struct settling);
	struct presence_key key;
	struct user_keys user;
	struct buf home = presence_online_text(found);
	char ended[DECIMAL_SIZE], keep[DECIMAL_SIZE];

	*settling = (struct settling){ done, arg };
	presence_key_fill(&key, found->uid);
	user_keys_fill(&user, found->uid);
	const struct str keys[] = { key.key, user.keys[2] };
	const struct str args[] = { found->routes, buf_str(&home), decimal(ended, found->ended_ms),
		                    decimal(keep, keep_s) };
	redis_eval(redis, &settle_script, keys, ARRAY_LEN(keys), args, ARRAY_LEN(args), presence_on_settled, settling);
	buf_release(&home);
}

void presence_note_told(struct redis *redis, const struct presence_found *found)
{
	struct presence_key key;
	struct buf online = presence_online_text(found);
	char ended[DECIMAL_SIZE];

	presence_key_fill(&key, found->uid);
	const struct str args[] = { online.len ? buf_str(&online) : decimal(ended, found->ended_ms) };
	redis_eval(redis, &told_script, &key.key, 1, args, ARRAY_LEN(args), NULL, NULL);
	buf_release(&online);
}
