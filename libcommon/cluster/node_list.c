#include "cluster/node_list.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/text/ident.h"
#include "base/list.h"
#include "base/map.h"
#include "base/telemetry/log.h"
#include "base/mem.h"
#include "cluster/node_record.h"

/*
 * One read is HGETALL of im:nodes, then, in one pipeline, HGETALL of each node's own key. Only a read that got all its answers
 * changes the list, so a Redis that fails half-way removes no node.
 */

#define REFRESH_MS 1000
#define LIFE_MS (NODE_LIST_LIFE_S * 1000ull)
#define FORGET_MS (24 * 3600 * 1000ull) /* how long im:nodes keeps a dead node's last epoch */

struct listed {
	struct map_node link;
	struct node node;
	uint64_t seen_ms; /* monotonic: the start of the last read that found it */
	struct listed *next_retired;
};

/* A read under way. */
struct node_read {
	struct node_list *list; /* NULL after the list was freed */
	uint64_t started_ms;
	size_t count;
	size_t left; /* answers still to come */
	bool has_failed;
	struct asked *asked;
};

/* A node that the read asks for. */
struct asked {
	struct node_read *read;
	char name[65];
	struct node_seen seen;
	struct node found; /* epoch 0: the node has no key */
};

struct node_list {
	struct redis *redis;
	struct worker *worker;
	struct map nodes; /* of struct listed */
	struct listed *retired; /* removed from the map; freed with the next read, because callers may still hold them */
	struct timer timer;
	struct node_read *read;
	struct list waiting; /* of struct waiter: for the next read */
	struct list served; /* of struct waiter: for the read under way */
	uint64_t fresh_ms; /* monotonic: the start of the last successful read; 0 before the first */
	void (*changed)(void *arg);
	void *changed_arg;
};

struct waiter {
	struct list link;
	void (*done)(void *arg);
	void *arg;
};

static struct str node_list_name_of(const struct map_node *link)
{
	return str_from(container_of(link, struct listed, link)->node.name);
}

static struct listed *node_list_entry(const struct map_node *link)
{
	return link ? container_of(link, struct listed, link) : NULL;
}

static bool node_list_is_living(const struct listed *listed, uint64_t now_ms)
{
	return now_ms < listed->seen_ms + LIFE_MS;
}

/* ---- applying a read ---- */

static void node_list_free_retired(struct node_list *list)
{
	for (struct listed *next, *listed = list->retired; listed; listed = next) {
		next = listed->next_retired;
		mem_free(listed);
	}
	list->retired = NULL;
}

static void node_list_retire(struct node_list *list, struct listed *listed)
{
	map_remove(&list->nodes, &listed->link);
	listed->next_retired = list->retired;
	list->retired = listed;
}

/* Returns whether the set of living (name, epoch) pairs changed. */
static bool node_list_put(struct node_list *list, const struct node *found, const struct node_read *read)
{
	struct listed *listed = node_list_entry(map_find(&list->nodes, str_from(found->name)));
	bool is_new = !listed || listed->node.epoch != found->epoch;

	if (listed) {
		listed->node = *found;
	} else {
		listed = MEM_NEW(struct listed);
		listed->node = *found;
		map_put(&list->nodes, &listed->link);
	}
	listed->seen_ms = read->started_ms;
	return is_new;
}

/* Returns whether a node was removed. */
static bool node_list_remove_dead(struct node_list *list, uint64_t now_ms)
{
	bool has_changed = false;

	for (struct map_node *next, *link = map_first(&list->nodes); link; link = next) {
		next = map_next(&list->nodes, link);
		if (!node_list_is_living(node_list_entry(link), now_ms)) {
			node_list_retire(list, node_list_entry(link));
			has_changed = true;
		}
	}
	return has_changed;
}

static void node_list_tell(struct node_list *list, bool has_changed)
{
	if (has_changed && list->changed)
		list->changed(list->changed_arg);
}

/* KEYS[1] im:nodes; ARGV[1] name, ARGV[2] the value that was read: another one means that the node registered since. */
static struct redis_script forget_script = {
	.name = "node forget",
	.source = "if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end\n"
	          "return redis.call('HDEL', KEYS[1], ARGV[1])\n",
};

static void node_list_forget_if_long_dead(struct redis *redis, const struct asked *asked)
{
	const struct str key = NODES_KEY;
	struct buf seen = { 0 };

	if (clock_wall_ms() < asked->seen.seen_ms + FORGET_MS)
		return;
	node_seen_write(&seen, asked->seen.last_epoch, asked->seen.seen_ms);
	const struct str args[] = { str_from(asked->name), buf_str(&seen) };
	redis_eval(redis, &forget_script, &key, 1, args, ARRAY_LEN(args), NULL, NULL);
	buf_release(&seen);
}

/*
 * A name in im:nodes without a key of its own is a dead node's. A node whose name is missing from im:nodes was forgotten by
 * Redis. It stays in the list for NODE_LIST_LIFE_S, because its next renewal writes it again.
 */
static void node_list_apply(struct node_list *list, const struct node_read *read)
{
	bool has_changed = false;

	node_list_free_retired(list);
	for (size_t i = 0; i < read->count; i++) {
		const struct asked *asked = &read->asked[i];

		if (asked->found.epoch) {
			has_changed |= node_list_put(list, &asked->found, read);
			continue;
		}
		struct listed *dead = node_list_entry(map_find(&list->nodes, str_from(asked->name)));
		if (dead)
			node_list_retire(list, dead);
		has_changed |= dead != NULL;
		node_list_forget_if_long_dead(list->redis, asked);
	}
	list->fresh_ms = read->started_ms;
	node_list_tell(list, has_changed);
}

/* ---- reading ---- */

static void node_list_serve(struct list *waiters)
{
	struct list now;

	/* Callers that ask again from `done` wait for the next read. */
	list_init(&now);
	list_splice_back(&now, waiters);
	for (struct list *link; (link = list_pop_front(&now));) {
		struct waiter *waiter = container_of(link, struct waiter, link);
		waiter->done(waiter->arg);
		mem_free(waiter);
	}
}

static void node_list_start_read(struct node_list *list);

static void node_list_end_read(struct node_read *read)
{
	struct node_list *list = read->list;

	if (list) {
		list->read = NULL;
		if (!read->has_failed)
			node_list_apply(list, read);
		if (!read->has_failed || !node_list_is_fresh(list))
			node_list_serve(&list->served);
		if (!read->has_failed && !list->read && !list_is_empty(&list->waiting))
			node_list_start_read(list);
	}
	mem_free(read->asked);
	mem_free(read);
}

static void node_list_on_node(void *arg, err_t err, const redisReply *reply)
{
	struct asked *asked = arg;
	struct node_read *read = asked->read;

	if (err != OK)
		read->has_failed = true;
	else if (reply->type == REDIS_REPLY_ARRAY && reply->elements > 0 &&
	         !node_record_read(&asked->found, str_from(asked->name), reply))
		log_warn("a node in redis cannot be read", LOG_TEXT("node", asked->name));
	if (--read->left == 0)
		node_list_end_read(read);
}

static void node_list_on_names(void *arg, err_t err, const redisReply *reply)
{
	struct node_read *read = arg;

	if (err != OK || reply->type != REDIS_REPLY_ARRAY || !read->list) {
		read->has_failed = true;
		node_list_end_read(read);
		return;
	}
	read->asked = mem_zalloc((reply->elements / 2) * sizeof(*read->asked));
	for (size_t i = 0; i + 1 < reply->elements; i += 2) {
		struct asked *asked = &read->asked[read->count];
		struct str name = redis_reply_str(reply->element[i]);
		asked->read = read;
		if (ident_is_valid(name) && str_copy(asked->name, sizeof(asked->name), name) &&
		    node_seen_parse(&asked->seen, redis_reply_str(reply->element[i + 1])))
			read->count++;
	}
	read->left = read->count;
	for (size_t i = 0; i < read->count; i++) {
		struct node_key key;

		node_key_fill(&key, str_from(read->asked[i].name));
		const struct str args[] = { STR("HGETALL"), key.key };
		redis_command(read->list->redis, args, ARRAY_LEN(args), node_list_on_node, &read->asked[i]);
	}
	if (read->count == 0)
		node_list_end_read(read);
}

static void node_list_start_read(struct node_list *list)
{
	const struct str args[] = { STR("HGETALL"), NODES_KEY };

	list_splice_back(&list->served, &list->waiting);
	list->read = MEM_NEW(struct node_read);
	list->read->list = list;
	list->read->started_ms = clock_mono_ms();
	redis_command(list->redis, args, ARRAY_LEN(args), node_list_on_names, list->read);
}

void node_list_refresh(struct node_list *list, void (*done)(void *arg), void *arg)
{
	if (done) {
		struct waiter *waiter = MEM_NEW(struct waiter);
		*waiter = (struct waiter){ .done = done, .arg = arg };
		list_push_back(&list->waiting, &waiter->link);
	}
	if (!list->read)
		node_list_start_read(list);
}

static void node_list_on_tick(struct timer *timer)
{
	struct node_list *list = container_of(timer, struct node_list, timer);
	uint64_t now = clock_mono_ms();

	worker_arm(list->worker, &list->timer, now + REFRESH_MS);
	node_list_refresh(list, NULL, NULL);
	/* Nodes that were not read for NODE_LIST_LIFE_S count as dead. */
	node_list_tell(list, node_list_remove_dead(list, now));
}

/* ---- the list ---- */

struct node_list *node_list_new(struct redis *redis, struct worker *worker)
{
	struct node_list *list = MEM_NEW(struct node_list);

	list->redis = redis;
	list->worker = worker;
	map_init(&list->nodes, node_list_name_of);
	list_init(&list->waiting);
	list_init(&list->served);
	timer_init(&list->timer, node_list_on_tick);
	worker_arm_in(worker, &list->timer, REFRESH_MS);
	node_list_start_read(list);
	return list;
}

void node_list_free(struct node_list *list)
{
	worker_cancel(list->worker, &list->timer);
	if (list->read)
		list->read->list = NULL;
	node_list_remove_dead(list, UINT64_MAX);
	node_list_free_retired(list);
	list_splice_back(&list->served, &list->waiting);
	for (struct list *link; (link = list_pop_front(&list->served));)
		mem_free(container_of(link, struct waiter, link));
	map_release(&list->nodes);
	mem_free(list);
}

const struct node *node_list_find(const struct node_list *list, struct str name)
{
	const struct listed *listed = node_list_entry(map_find(&list->nodes, name));

	return listed && node_list_is_living(listed, clock_mono_ms()) ? &listed->node : NULL;
}

const struct node *node_list_find_epoch(const struct node_list *list, struct str name, uint64_t epoch)
{
	const struct node *node = node_list_find(list, name);

	return node && node->epoch == epoch ? node : NULL;
}

static int node_list_compare_names(const void *a, const void *b)
{
	return strcmp((*(const struct node *const *)a)->name, (*(const struct node *const *)b)->name);
}

size_t node_list_all(const struct node_list *list, const struct node **out, size_t max)
{
	uint64_t now = clock_mono_ms();
	size_t count = 0;

	for (struct map_node *link = map_first(&list->nodes); link && count < max; link = map_next(&list->nodes, link)) {
		if (node_list_is_living(node_list_entry(link), now))
			out[count++] = &node_list_entry(link)->node;
	}
	qsort(out, count, sizeof(*out), node_list_compare_names);
	return count;
}

bool node_list_is_fresh(const struct node_list *list)
{
	return list->fresh_ms && clock_mono_ms() < list->fresh_ms + LIFE_MS;
}

void node_list_on_change(struct node_list *list, void (*changed)(void *arg), void *arg)
{
	list->changed = changed;
	list->changed_arg = arg;
}
