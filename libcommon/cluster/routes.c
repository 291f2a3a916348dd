#include "cluster/routes.h"

#include <assert.h>

#include "base/text/ident.h"
#include "base/telemetry/log.h"
#include "base/mem.h"
#include "base/sabotage.h"
#include "base/text/decimal.h"
#include "cluster/presence.h"
#include "cluster/user_script.h"

/* When a route was made, and whether the bind yields to it. */
#define ROUTE_SINCE                                                                                              \
	"local function since_of(route) return tonumber(string.match(route, '%d+$') or 0) end\n"                 \
	"local function yields_to(route)\n"                                                                     \
	"  return ARGV[13] ~= '' and since_of(route) > tonumber(ARGV[13])\n"                                     \
	"end\n"

/* Adds the oldest routes that are not in `gone` to it, `count` of them. True: the bind yields to one of them. */
#define ROUTE_FREE                                                                                               \
	"local function free(count, gone)\n"                                                                    \
	"  local is_gone, left, is_late = {}, {}, false\n"                                                      \
	"  for i = 1, #gone, 2 do is_gone[gone[i]] = true end\n"                                                \
	"  local all = redis.call('HGETALL', KEYS[3])\n"                                                        \
	"  for i = 1, #all, 2 do\n"                                                                             \
	"    if not is_gone[all[i]] then left[#left + 1] = { all[i], all[i + 1], since_of(all[i + 1]) } end\n"    \
	"  end\n"                                                                                               \
	"  table.sort(left, function(a, b) return a[3] < b[3] end)\n"                                           \
	"  for i = 1, count do\n"                                                                               \
	"    gone[#gone + 1], gone[#gone + 2] = left[i][1], left[i][2]\n"                                       \
	"    is_late = is_late or yields_to(left[i][2])\n"                                                      \
	"  end\n"                                                                                               \
	"  return is_late\n"                                                                                    \
	"end\n"

/*
 * ARGV[7] device, ARGV[8] route, ARGV[9] the beginning of the route, which names the connection, ARGV[10] life, ARGV[11] which
 * of the user's other routes are removed, ARGV[12] what a route of the same platform contains (node names have no bars),
 * ARGV[13] the time of a bind that yields to later ones, or empty. ARGV[14] how many routes the user may have, ARGV[15] "oldest"
 * if the oldest ones give way when that is reached. KEYS[4] exists after the connection was closed, KEYS[5] is the user's presence
 * (cluster/presence.h).
 *
 * The third part of the answer: the removed routes; 0, the bind has no effect; 1, the user has too many routes. The fourth: 1 if
 * the user had no route, or may have had none, and counts as offline.
 */
static struct redis_script bind_script = {
	.name = "route bind",
	.source = INBOX_MAKE
		INBOX_KEEP
	"if redis.call('EXISTS', KEYS[4]) == 1 then return { e, n, 0, 0 } end\n"
	"local all, old = {}, ARGV[11] == 'device' and redis.pcall('HGET', KEYS[3], ARGV[7])\n"
	"if type(old) == 'string' then\n"
	"  all = { ARGV[7], old }\n"
	"elseif old or ARGV[11] ~= 'device' then\n"
	"  all = redis.pcall('HGETALL', KEYS[3])\n"
	"end\n"
	"if all.err then redis.call('DEL', KEYS[3]) end\n" /* of another type: it holds no routes */
	ROUTE_SINCE ROUTE_FREE
	"local gone, is_bound, is_late = {}, false, false\n"
	"for i = 1, #all, 2 do\n"
	"  local device, route = all[i], all[i + 1]\n"
	"  if device == ARGV[7] and string.sub(route, 1, #ARGV[9]) == ARGV[9] then\n"
	"    is_bound = true\n"
	"  elseif device == ARGV[7] or ARGV[11] == 'user'\n"
	"      or ARGV[11] == 'platform' and string.find(route, ARGV[12], 1, true) then\n"
	"    gone[#gone + 1], gone[#gone + 2] = device, route\n"
	"    is_late = is_late or yields_to(route)\n"
	"  end\n"
	"end\n"
	"local count, came = 0, 0\n"
	"if not is_bound then\n"
	"  count = redis.call('HLEN', KEYS[3])\n"
	"  local over = count - #gone / 2 + 1 - ARGV[14]\n"
	"  if over > 0 and not is_late then\n"
	"    if ARGV[15] ~= 'oldest' then return { e, n, 1, 0 } end\n"
	"    is_late = free(over, gone)\n"
	"  end\n"
	"end\n"
	"if is_bound then\n"
	"  gone = {}\n"
	"elseif is_late then\n"
	"  return { e, n, 0, 0 }\n"
	"else\n"
	"  for i = 1, #gone, 2 do redis.call('HDEL', KEYS[3], gone[i]) end\n"
	"  redis.call('HSET', KEYS[3], ARGV[7], ARGV[8])\n"
	"  " ROUTES_CHANGED
	"end\n"
	"redis.call('EXPIRE', KEYS[3], ARGV[10])\n"
	"if count == 0 then came = " PRESENCE_IS_OFFLINE("KEYS[5]") " end\n"
	"return { e, n, gone, came }\n",
};

/* `device`, and `connection`: the beginning of the route that names it. */
#define IF_OURS                                                                                                  \
	"local route = redis.pcall('HGET', KEYS[3], device)\n"                                                   \
	"if type(route) ~= 'string' or string.sub(route, 1, #connection) ~= connection then return 0 end\n"

/* An inbox that is missing is not made: the next one has another epoch, so no version of it is known to anybody. */
#define DELETE_ROUTE                                                                                             \
	"local h = redis.pcall('HGET', KEYS[2], 'h')\n"                                                          \
	"if type(h) == 'string' then " ROUTES_CHANGED " end\n"                                                   \
	"return redis.call('HDEL', KEYS[3], device)\n"

static struct redis_script unbind_script = {
	.name = "route unbind",
	.source = "local device, connection = ARGV[1], ARGV[2]\n" IF_OURS DELETE_ROUTE,
};

/* SABOTAGE_BLIND_UNBIND */
static struct redis_script blind_unbind_script = {
	.name = "route unbind, blind",
	.source = "local device = ARGV[1]\n" DELETE_ROUTE,
};

/* ARGV[3] the life of KEYS[4]. */
static struct redis_script close_script = {
	.name = "route close",
	.source = "local device, connection = ARGV[1], ARGV[2]\n"
		  "redis.call('SET', KEYS[4], '', 'EX', ARGV[3])\n" IF_OURS DELETE_ROUTE,
};

/* ARGV[9] life. */
static struct redis_script renew_script = {
	.name = "route renew",
	.source = "local device, connection = ARGV[7], ARGV[8]\n" IF_OURS
		INBOX_KEEP
		  "return redis.call('EXPIRE', KEYS[3], ARGV[9])\n",
};

/* "node|epoch|conn|": names one connection. */
static void write_connection(struct buf *out, struct str node, uint64_t node_epoch, uint64_t conn)
{
	buf_append_str(out, node);
	buf_append_char(out, '|');
	buf_append_u64(out, node_epoch);
	buf_append_char(out, '|');
	buf_append_u64(out, conn);
	buf_append_char(out, '|');
}

/* The key that closing a connection leaves for ROUTE_GONE_S; in the slot of the user's other keys. */
static struct buf gone_key(struct str uid, struct str connection)
{
	struct buf key = { 0 };

	buf_append_str(&key, STR("im:gone:{"));
	buf_append_str(&key, uid);
	buf_append_str(&key, STR("}:"));
	buf_append_str(&key, connection);
	return key;
}

void route_key_write(struct buf *out, struct str uid)
{
	struct user_keys keys;

	user_keys_fill(&keys, uid);
	buf_append_str(out, keys.keys[2]);
}

void route_write(struct buf *out, const struct route *route)
{
	write_connection(out, route->node, route->node_epoch, route->conn);
	buf_append_str(out, route->platform);
	buf_append_char(out, '|');
	buf_append_u64(out, route->since_ms);
}

bool route_parse(struct str text, struct route *out)
{
	struct str rest = text;

	out->node = str_cut(&rest, '|');
	struct str epoch = str_cut(&rest, '|'), conn = str_cut(&rest, '|');
	out->platform = str_cut(&rest, '|');
	return ident_is_valid(out->node) && platform_is_valid(out->platform) && str_to_u64(epoch, &out->node_epoch) &&
	       str_to_u64(conn, &out->conn) && str_to_u64(rest, &out->since_ms);
}

/* ---- lists ---- */

struct device_routes device_routes_read(const redisReply *reply)
{
	struct device_routes array = { .items = mem_alloc((reply->elements / 2 + 1) * sizeof(*array.items)) };

	for (size_t i = 0; i + 1 < reply->elements; i += 2) {
		struct device_route *next = &array.items[array.count];

		next->device = redis_reply_str(reply->element[i]);
		if (ident_is_valid(next->device) && route_parse(redis_reply_str(reply->element[i + 1]), &next->route))
			array.count++;
		else
			log_warn("a route in redis cannot be read", LOG_STR("device", next->device));
	}
	return array;
}

struct listing {
	route_list_done done;
	void *arg;
};

static void on_listed(void *arg, err_t err, const redisReply *reply)
{
	struct listing *listing = arg;
	struct device_routes array = { 0 };

	if (err == OK && reply->type != REDIS_REPLY_ARRAY)
		err = ERR_INTERNAL;
	if (err == OK)
		array = device_routes_read(reply);
	listing->done(listing->arg, err, array.items, array.count);
	mem_free(array.items);
	mem_free(listing);
}

void route_list(struct redis *redis, struct str uid, route_list_done done, void *arg)
{
	struct listing *listing = MEM_NEW(struct listing);
	struct user_keys keys;

	*listing = (struct listing){ done, arg };
	user_keys_fill(&keys, uid);
	const struct str args[] = { STR("HGETALL"), keys.keys[2] };
	redis_command(redis, args, ARRAY_LEN(args), on_listed, listing);
}

/* ---- bind ---- */

struct bind {
	route_bind_done done;
	void *arg;
};

static err_t check_bound(const redisReply *reply, struct route_bound *bound)
{
	if (!inbox_read_answer(reply, 4, &bound->inbox_epoch, &bound->inbox_head)) {
		log_error("unexpected answer of a script", LOG_TEXT("script", bind_script.name));
		return ERR_INTERNAL;
	}
	const redisReply *third = reply->element[2];
	bound->has_come = reply->element[3]->type == REDIS_REPLY_INTEGER && reply->element[3]->integer == 1;
	if (third->type == REDIS_REPLY_ARRAY)
		return OK;
	return third->type == REDIS_REPLY_INTEGER && third->integer == 1 ? ERR_REJECTED : ERR_FAILED_PRECONDITION;
}

static void on_bound(void *arg, err_t err, const redisReply *reply)
{
	struct bind *bind = arg;
	struct route_bound bound = { 0 };
	struct device_routes replaced = { 0 };

	if (err == OK)
		err = check_bound(reply, &bound);
	if (err == OK)
		replaced = device_routes_read(reply->element[2]);
	bound.replaced = replaced.items;
	bound.replaced_count = replaced.count;
	bind->done(bind->arg, err, err == OK ? &bound : NULL);
	mem_free(replaced.items);
	mem_free(bind);
}

static struct str name_of(enum route_policy policy)
{
	if (policy == ROUTE_PER_DEVICE)
		return STR("device");
	return policy == ROUTE_PER_PLATFORM ? STR("platform") : STR("user");
}

void route_bind(struct redis *redis, const struct inbox_limits *limits, uint64_t ttl_s, const struct route_binding *binding,
                route_bind_done done, void *arg)
{
	struct bind *bind = MEM_NEW(struct bind);
	const struct route *route = &binding->route;
	struct buf text = { 0 }, connection = { 0 }, platform = { 0 };
	struct user_keys keys;
	struct inbox_args args;
	char life[DECIMAL_SIZE], since[DECIMAL_SIZE], max[DECIMAL_SIZE];

	*bind = (struct bind){ done, arg };
	route_write(&text, route);
	write_connection(&connection, route->node, route->node_epoch, route->conn);
	buf_append_char(&platform, '|');
	buf_append_str(&platform, route->platform);
	buf_append_char(&platform, '|');
	user_keys_fill(&keys, binding->uid);
	inbox_args_fill(&args, limits);
	assert(ttl_s > 0);
	struct buf gone = gone_key(binding->uid, buf_str(&connection));
	struct presence_key presence;
	presence_key_fill(&presence, binding->uid);
	const struct str all_keys[] = { keys.keys[0], keys.keys[1], keys.keys[2], buf_str(&gone), presence.key };
	const struct str all[] = {
		args.args[0],
		args.args[1],
		args.args[2],
		args.args[3],
		args.args[4],
		args.args[5],
		binding->device,
		buf_str(&text),
		buf_str(&connection),
		decimal(life, ttl_s),
		name_of(binding->policy),
		buf_str(&platform),
		binding->again ? decimal(since, route->since_ms) : STR(""),
		decimal(max, binding->max_routes ? binding->max_routes : UINT32_MAX),
		binding->closes_oldest ? STR("oldest") : STR(""),
	};
	redis_eval(redis, &bind_script, all_keys, ARRAY_LEN(all_keys), all, ARRAY_LEN(all), on_bound, bind);
	buf_release(&gone);
	buf_release(&text);
	buf_release(&connection);
	buf_release(&platform);
}

/* ---- unbind, close and renew ---- */

/* They answer alike. */
struct change {
	void (*done)(void *arg, err_t err, bool was_ours);
	void *arg;
};

static void on_changed(void *arg, err_t err, const redisReply *reply)
{
	struct change *change = arg;

	change->done(change->arg, err, err == OK && reply->type == REDIS_REPLY_INTEGER && reply->integer == 1);
	mem_free(change);
}

static void change_if_ours(struct redis *redis, struct redis_script *script, struct str uid, const struct str *args,
                           unsigned arg_count, struct change done)
{
	struct change *change = MEM_NEW(struct change);
	struct user_keys keys;

	*change = done;
	user_keys_fill(&keys, uid);
	redis_eval(redis, script, keys.keys, ARRAY_LEN(keys.keys), args, arg_count, on_changed, change);
}

void route_unbind(struct redis *redis, struct str uid, struct str device, struct str node, uint64_t node_epoch, uint64_t conn,
                  route_unbind_done done, void *arg)
{
	struct buf connection = { 0 };

	write_connection(&connection, node, node_epoch, conn);
	const struct str args[] = { device, buf_str(&connection) };
	change_if_ours(redis, sabotaged(SABOTAGE_BLIND_UNBIND) ? &blind_unbind_script : &unbind_script, uid, args,
	               ARRAY_LEN(args), (struct change){ done, arg });
	buf_release(&connection);
}

void route_close(struct redis *redis, struct str uid, struct str device, struct str node, uint64_t node_epoch, uint64_t conn,
                 route_unbind_done done, void *arg)
{
	struct change *change = MEM_NEW(struct change);
	struct buf connection = { 0 };
	struct user_keys keys;
	char life[DECIMAL_SIZE];

	*change = (struct change){ done, arg };
	write_connection(&connection, node, node_epoch, conn);
	user_keys_fill(&keys, uid);
	struct buf gone = gone_key(uid, buf_str(&connection));
	const struct str all_keys[] = { keys.keys[0], keys.keys[1], keys.keys[2], buf_str(&gone) };
	const struct str args[] = { device, buf_str(&connection), decimal(life, ROUTE_GONE_S) };
	redis_eval(redis, sabotaged(SABOTAGE_BLIND_UNBIND) ? &blind_unbind_script : &close_script, all_keys,
	           ARRAY_LEN(all_keys), args, ARRAY_LEN(args), on_changed, change);
	buf_release(&gone);
	buf_release(&connection);
}

void route_renew(struct redis *redis, const struct inbox_limits *limits, uint64_t ttl_s, struct str uid, struct str device,
                 struct str node, uint64_t node_epoch, uint64_t conn, route_renew_done done, void *arg)
{
	struct buf connection = { 0 };
	struct inbox_args inbox;
	char life[DECIMAL_SIZE];

	assert(ttl_s > 0);
	write_connection(&connection, node, node_epoch, conn);
	inbox_args_fill(&inbox, limits);
	const struct str args[] = {
		inbox.args[0],
		inbox.args[1],
		inbox.args[2],
		inbox.args[3],
		inbox.args[4],
		inbox.args[5],
		device,
		buf_str(&connection),
		decimal(life, ttl_s),
	};
	change_if_ours(redis, &renew_script, uid, args, ARRAY_LEN(args), (struct change){ done, arg });
	buf_release(&connection);
}
