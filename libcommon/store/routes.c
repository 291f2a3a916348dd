#include "store/routes.h"

#include <assert.h>

#include "base/ident.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/decimal.h"
#include "store/user_script.h"

/*
 * ARGV[7] device, ARGV[8] route, ARGV[9] its beginning that names the connection, ARGV[10] life. The same connection
 * again changes nothing.
 */
static struct redis_script bind_script = {
	.name = "route bind",
	.source = INBOX_MAKE
	INBOX_KEEP
	          "local old = redis.call('HGET', KEYS[3], ARGV[7])\n"
	          "if not old or string.sub(old, 1, #ARGV[9]) ~= ARGV[9] then\n"
	          "  redis.call('HSET', KEYS[3], ARGV[7], ARGV[8])\n"
	          "end\n"
	          "redis.call('EXPIRE', KEYS[3], ARGV[10])\n"
	          "return { e, tonumber(n), old or '' }\n",
};

/* `device`, and `connection`: the beginning of the route that names it. */
#define IF_OURS                                                                                                  \
	"local route = redis.call('HGET', KEYS[3], device)\n"                                                    \
	"if not route or string.sub(route, 1, #connection) ~= connection then return 0 end\n"

static struct redis_script unbind_script = {
	.name = "route unbind",
	.source = "local device, connection = ARGV[1], ARGV[2]\n" IF_OURS
		  "return redis.call('HDEL', KEYS[3], device)\n",
};

/* ARGV[9] life. */
static struct redis_script renew_script = {
	.name = "route renew",
	.source = "local device, connection = ARGV[7], ARGV[8]\n" IF_OURS
		INBOX_KEEP
		  "return redis.call('EXPIRE', KEYS[3], ARGV[9])\n",
};

/* "node|epoch|conn|": what tells one connection from all others. */
static void write_connection(struct buf *out, struct str node, uint64_t node_epoch, uint64_t conn)
{
	buf_append_str(out, node);
	buf_append_char(out, '|');
	buf_append_u64(out, node_epoch);
	buf_append_char(out, '|');
	buf_append_u64(out, conn);
	buf_append_char(out, '|');
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

struct bind {
	route_bind_done done;
	void *arg;
	struct buf route; /* as written */
	size_t connection_len; /* how much of it names the connection */
};

static void on_bound(void *arg, err_t err, const redisReply *reply)
{
	struct bind *bind = arg;
	struct route_bound bound = { 0 };

	if (err == OK && !inbox_read_answer(reply, 3, &bound.inbox_epoch, &bound.inbox_head)) {
		log_error("the answer of a script is not what it returns", LOG_TEXT("script", bind_script.name));
		err = ERR_INTERNAL;
	}
	if (err == OK)
		bound.replaced = redis_reply_str(reply->element[2]);
	if (str_starts_with(bound.replaced, str_of(bind->route.ptr, bind->connection_len)))
		bound.replaced = (struct str){ NULL, 0 };
	bind->done(bind->arg, err, err == OK ? &bound : NULL);
	buf_release(&bind->route);
	mem_free(bind);
}

void route_bind(struct redis *redis, const struct inbox_limits *limits, uint64_t ttl_s, struct str uid, struct str device,
                const struct route *route, route_bind_done done, void *arg)
{
	struct bind *bind = MEM_NEW(struct bind);
	struct user_keys keys;
	struct inbox_args args;
	char life[DECIMAL_SIZE];

	bind->done = done;
	bind->arg = arg;
	write_connection(&bind->route, route->node, route->node_epoch, route->conn);
	bind->connection_len = bind->route.len;
	buf_clear(&bind->route);
	route_write(&bind->route, route);
	user_keys_fill(&keys, uid);
	inbox_args_fill(&args, limits);
	assert(ttl_s > 0);
	const struct str all[] = {
		args.args[0], args.args[1], args.args[2], args.args[3], args.args[4], args.args[5], device,
		buf_str(&bind->route), str_of(bind->route.ptr, bind->connection_len), decimal(life, ttl_s),
	};
	redis_eval(redis, &bind_script, keys.keys, ARRAY_LEN(keys.keys), all, ARRAY_LEN(all), on_bound, bind);
}

/* Unbind and renew answer alike. */
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
	change_if_ours(redis, &unbind_script, uid, args, ARRAY_LEN(args), (struct change){ done, arg });
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
		inbox.args[0], inbox.args[1], inbox.args[2], inbox.args[3], inbox.args[4], inbox.args[5], device,
		buf_str(&connection), decimal(life, ttl_s),
	};
	change_if_ours(redis, &renew_script, uid, args, ARRAY_LEN(args), (struct change){ done, arg });
	buf_release(&connection);
}
