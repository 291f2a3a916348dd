#include "router/presence/dead_nodes.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/telemetry/log.h"
#include "base/text/decimal.h"
#include "base/text/ident.h"
#include "cluster/node_record.h"
#include "cluster/presence.h"

/* The work under way: the list of gateways is read, or a gateway's users are noted. Outlives `dead` while Redis
 * does not answer. */
struct dead_sweep {
	struct dead_nodes *dead; /* NULL: freed */
	struct redis *redis;
	char name[96]; /* "node|epoch" */
	uint64_t epoch;
	bool is_again; /* its users were noted before */
	uint64_t ended_ms; /* 0: it lives again */
	struct buf cursor;
	size_t noted;
};

struct dead_nodes {
	struct worker *worker;
	struct redis *redis;
	struct node_list *nodes;
	struct timer tick;
	struct buf known; /* the gateways, and when their users were noted: a line each */
	struct dead_sweep *sweep; /* NULL: nothing is under way */
};

static bool dead_nodes_parse(struct str name, struct str *node, uint64_t *epoch)
{
	struct str rest = name;

	*node = str_cut(&rest, '|');
	return ident_is_valid(*node) && str_to_u64(rest, epoch);
}

/* ---- one gateway ---- */

static void dead_sweep_free(struct dead_sweep *sweep)
{
	if (sweep->dead)
		sweep->dead->sweep = NULL;
	buf_release(&sweep->cursor);
	mem_free(sweep);
}

static void dead_sweep_end(struct dead_sweep *sweep)
{
	struct buf noted = { 0 };

	if (sweep->ended_ms)
		buf_append_u64(&noted, clock_wall_ms());
	if (sweep->ended_ms && sweep->is_again)
		buf_append_char(&noted, '|');
	const struct str args[] = { STR("HSET"), PRESENCE_NODES_KEY, str_from(sweep->name), buf_str(&noted) };
	redis_command(sweep->redis, args, ARRAY_LEN(args), NULL, NULL);
	log_info("the users of a gateway were noted", LOG_TEXT("gateway", sweep->name), LOG_NUM("users", sweep->noted),
	         LOG_NUM("lives", sweep->ended_ms == 0), LOG_NUM("again", sweep->is_again));
	buf_release(&noted);
	dead_sweep_free(sweep);
}

static void dead_sweep_read_page(struct dead_sweep *sweep);

static void dead_sweep_on_noted(void *arg, err_t err, const redisReply *reply)
{
	struct dead_sweep *sweep = arg;
	(void)reply;

	if (err || !sweep->dead)
		dead_sweep_free(sweep); /* the next tick begins again */
	else if (str_equal(buf_str(&sweep->cursor), STR("0")))
		dead_sweep_end(sweep);
	else
		dead_sweep_read_page(sweep);
}

static void dead_sweep_note(struct dead_sweep *sweep, const redisReply *members)
{
	struct str *uids = mem_alloc((members->elements + 1) * sizeof(*uids));
	size_t count = 0;

	for (size_t i = 0; i < members->elements; i++) {
		uids[count] = redis_reply_str(members->element[i]);
		if (ident_is_valid(uids[count]))
			count++;
	}
	sweep->noted += count;
	if (count)
		presence_note_all(sweep->redis, uids, count, sweep->ended_ms, dead_sweep_on_noted, sweep);
	else
		dead_sweep_on_noted(sweep, OK, NULL);
	mem_free(uids);
}

static void dead_sweep_on_page(void *arg, err_t err, const redisReply *reply)
{
	struct dead_sweep *sweep = arg;

	if (err || !sweep->dead || reply->type != REDIS_REPLY_ARRAY || reply->elements != 2) {
		dead_sweep_free(sweep);
		return;
	}
	buf_clear(&sweep->cursor);
	buf_append_str(&sweep->cursor, redis_reply_str(reply->element[0]));
	dead_sweep_note(sweep, reply->element[1]);
}

static void dead_sweep_read_page(struct dead_sweep *sweep)
{
	struct buf key = presence_at_key(str_from(sweep->name));
	const struct str args[] = { STR("SSCAN"), buf_str(&key), buf_str(&sweep->cursor), STR("COUNT"), DEAD_NODES_PAGE };

	redis_command(sweep->redis, args, ARRAY_LEN(args), dead_sweep_on_page, sweep);
	buf_release(&key);
}

/* When the gateway may have died at the latest; now, if it was replaced or is not known. */
static void dead_sweep_on_seen(void *arg, err_t err, const redisReply *reply)
{
	struct dead_sweep *sweep = arg;
	struct node_seen seen;

	if (err || !sweep->dead) {
		dead_sweep_free(sweep);
		return;
	}
	sweep->ended_ms = clock_wall_ms();
	if (node_seen_parse(&seen, redis_reply_str(reply)) && seen.last_epoch == sweep->epoch)
		sweep->ended_ms = MIN(sweep->ended_ms, seen.seen_ms + DEAD_NODES_RENEWAL_MS);
	dead_sweep_read_page(sweep);
}

static void dead_sweep_start(struct dead_nodes *dead, struct str name, struct str node, uint64_t epoch, struct str noted)
{
	struct dead_sweep *sweep = MEM_NEW(struct dead_sweep);
	const struct str args[] = { STR("HGET"), NODES_KEY, node };

	sweep->dead = dead;
	sweep->redis = dead->redis;
	(void)str_copy(sweep->name, sizeof(sweep->name), name);
	sweep->epoch = epoch;
	sweep->is_again = noted.len > 0;
	buf_append_str(&sweep->cursor, STR("0"));
	dead->sweep = sweep;
	if (node_list_find_epoch(dead->nodes, node, epoch))
		dead_sweep_read_page(sweep);
	else
		redis_command(dead->redis, args, ARRAY_LEN(args), dead_sweep_on_seen, sweep);
}

/* ---- all gateways ---- */

static void dead_nodes_forget(struct dead_nodes *dead, struct str name)
{
	struct buf key = presence_at_key(name);
	const struct str del[] = { STR("UNLINK"), buf_str(&key) }, hdel[] = { STR("HDEL"), PRESENCE_NODES_KEY, name };

	redis_command(dead->redis, del, ARRAY_LEN(del), NULL, NULL);
	redis_command(dead->redis, hdel, ARRAY_LEN(hdel), NULL, NULL);
	buf_release(&key);
}

/* `noted` as in cluster/presence.h. True: the users are to be noted now. */
static bool dead_nodes_has_changed(const struct dead_nodes *dead, struct str name, struct str noted)
{
	uint64_t epoch, noted_ms;
	struct str node;

	if (!dead_nodes_parse(name, &node, &epoch))
		return false;
	if (node_list_find_epoch(dead->nodes, node, epoch))
		return noted.len > 0;
	return noted.len == 0 || (str_to_u64(noted, &noted_ms) && noted_ms + DEAD_NODES_AGAIN_MS < clock_wall_ms());
}

static bool dead_nodes_is_over(struct str noted)
{
	uint64_t noted_ms;

	return str_to_u64(str_cut(&noted, '|'), &noted_ms) && noted_ms + DEAD_NODES_KEEP_MS < clock_wall_ms();
}

static void dead_nodes_judge(struct dead_nodes *dead, struct str name, struct str noted)
{
	uint64_t epoch;
	struct str node;
	bool is_node = dead_nodes_parse(name, &node, &epoch);

	if (is_node && dead_nodes_has_changed(dead, name, noted))
		dead_sweep_start(dead, name, node, epoch, noted);
	else if (!is_node || dead_nodes_is_over(noted))
		dead_nodes_forget(dead, name);
}

/* The list of gateways is newer than `known`. */
static void dead_nodes_judge_all(void *arg)
{
	struct dead_nodes *dead = arg;
	struct str rest = buf_str(&dead->known);

	while (rest.len && !dead->sweep && node_list_is_fresh(dead->nodes)) {
		struct str name = str_cut(&rest, '\n');

		dead_nodes_judge(dead, name, str_cut(&rest, '\n'));
	}
}

/* A gateway that registered a moment ago may be missing in the list. */
static void dead_nodes_on_read(void *arg, err_t err, const redisReply *reply)
{
	struct dead_sweep *read = arg;
	struct dead_nodes *dead = read->dead;
	bool has_changed = false;

	dead_sweep_free(read);
	if (err || !dead || reply->type != REDIS_REPLY_ARRAY)
		return;
	buf_clear(&dead->known);
	for (size_t i = 0; i + 1 < reply->elements; i += 2) {
		struct str name = redis_reply_str(reply->element[i]), noted = redis_reply_str(reply->element[i + 1]);

		has_changed |= dead_nodes_has_changed(dead, name, noted);
		buf_append_str(&dead->known, name);
		buf_append_char(&dead->known, '\n');
		buf_append_str(&dead->known, noted);
		buf_append_char(&dead->known, '\n');
	}
	if (has_changed)
		node_list_refresh(dead->nodes, dead_nodes_judge_all, dead);
	else
		dead_nodes_judge_all(dead);
}

static void dead_nodes_on_tick(struct timer *timer)
{
	struct dead_nodes *dead = container_of(timer, struct dead_nodes, tick);
	const struct str args[] = { STR("HGETALL"), PRESENCE_NODES_KEY };

	worker_arm_in(dead->worker, &dead->tick, DEAD_NODES_TICK_MS);
	if (dead->sweep)
		return;
	dead->sweep = MEM_NEW(struct dead_sweep);
	dead->sweep->dead = dead;
	redis_command(dead->redis, args, ARRAY_LEN(args), dead_nodes_on_read, dead->sweep);
}

struct dead_nodes *dead_nodes_new(struct worker *worker, struct redis *redis, struct node_list *nodes)
{
	struct dead_nodes *dead = MEM_NEW(struct dead_nodes);

	dead->worker = worker;
	dead->redis = redis;
	dead->nodes = nodes;
	timer_init(&dead->tick, dead_nodes_on_tick);
	worker_arm_in(worker, &dead->tick, DEAD_NODES_TICK_MS);
	return dead;
}

void dead_nodes_free(struct dead_nodes *dead)
{
	worker_cancel(dead->worker, &dead->tick);
	if (dead->sweep)
		dead->sweep->dead = NULL;
	buf_release(&dead->known);
	mem_free(dead);
}
