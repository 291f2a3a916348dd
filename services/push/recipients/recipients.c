#include "push/recipients/recipients.h"

#include <stdlib.h>

#include "base/list.h"
#include "base/telemetry/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/telemetry/metrics.h"

/* $1 gid: the version of the membership, and the members. No row for a group that is not there. */
static const struct pg_statement recipients_members = {
	"push_members",
	"select g.member_version, coalesce((select array_agg(m.uid) from group_member m where m.no = g.no), '{}')"
	" from conversation c join chat_group g on g.no = c.no where c.id = 'g:' || $1::text",
};

#define REDIS_LIFE_S "604800"
#define MAX_MEMBERS 200000

/* ---- lists ---- */

static struct recipients *recipients_new(const struct str *uids, uint32_t count, uint64_t version)
{
	size_t text = 0;

	for (uint32_t i = 0; i < count; i++)
		text += uids[i].len + 1;
	struct recipients *made = mem_alloc(sizeof(*made) + count * sizeof(made->uids[0]) + text);
	char *at = (char *)&made->uids[count];
	made->refs = 1;
	made->count = count;
	made->member_version = version;
	for (uint32_t i = 0; i < count; i++) {
		(void)str_copy(at, uids[i].len + 1, uids[i]);
		made->uids[i] = str_of(at, uids[i].len);
		at += uids[i].len + 1;
	}
	return made;
}

struct recipients *recipients_ref(struct recipients *recipients)
{
	recipients->refs++;
	return recipients;
}

void recipients_unref(struct recipients *recipients)
{
	if (recipients && --recipients->refs == 0)
		mem_free(recipients);
}

struct recipients *recipients_of_direct(const struct conversation *conversation)
{
	struct str uids[] = { conversation->first, conversation->second };
	bool is_to_self = str_equal(uids[0], uids[1]);

	return recipients_new(uids, is_to_self ? 1 : 2, 0);
}

/* ---- the cache ---- */

struct group {
	struct map_node link;
	struct list recent; /* in the cache's list, the latest used first */
	char gid[65];
	struct recipients *members;
};

struct member_cache {
	struct worker *worker;
	struct redis *redis;
	struct pg *pg;
	uint64_t max_members, members;
	struct map groups;
	struct list recent;
	struct counter *hits, *from_redis, *from_pg;
};

static struct str key_of(const struct map_node *node)
{
	return str_from(container_of(node, struct group, link)->gid);
}

struct member_cache *member_cache_new(struct worker *worker, struct redis *redis, struct pg *pg, uint64_t max_members)
{
	const char *name = "skein_push_member_lookups_total", *help = "Lookups of a group's members, by who answered.";
	struct member_cache *cache = MEM_NEW(struct member_cache);

	cache->worker = worker;
	cache->redis = redis;
	cache->pg = pg;
	cache->max_members = max_members;
	map_init(&cache->groups, key_of);
	list_init(&cache->recent);
	cache->hits = metrics_counter(name, help, "from=\"cache\"");
	cache->from_redis = metrics_counter(name, help, "from=\"redis\"");
	cache->from_pg = metrics_counter(name, help, "from=\"postgres\"");
	return cache;
}

static void forget(struct member_cache *cache, struct group *group)
{
	cache->members -= group->members->count;
	map_remove(&cache->groups, &group->link);
	list_remove(&group->recent);
	recipients_unref(group->members);
	mem_free(group);
}

void member_cache_free(struct member_cache *cache)
{
	while (!list_is_empty(&cache->recent))
		forget(cache, container_of(cache->recent.next, struct group, recent));
	map_release(&cache->groups);
	mem_free(cache);
}

static struct group *find(struct member_cache *cache, struct str gid)
{
	struct map_node *node = map_find(&cache->groups, gid);

	return node ? container_of(node, struct group, link) : NULL;
}

/* Keeps the newer of what is cached and what was read. */
static void remember(struct member_cache *cache, struct str gid, struct recipients *members)
{
	struct group *group = find(cache, gid);

	if (group && group->members->member_version >= members->member_version)
		return;
	if (group)
		forget(cache, group);
	group = MEM_NEW(struct group);
	(void)str_copy(group->gid, sizeof(group->gid), gid);
	group->members = recipients_ref(members);
	map_put(&cache->groups, &group->link);
	list_push_front(&cache->recent, &group->recent);
	cache->members += members->count;
	while (cache->members > cache->max_members && cache->recent.prev != &group->recent)
		forget(cache, container_of(cache->recent.prev, struct group, recent));
}

/* ---- one lookup ---- */

struct lookup {
	struct member_cache *cache;
	char gid[65];
	uint64_t version;
	recipients_found done;
	void *arg;
};

static void end_lookup(struct lookup *lookup, err_t err, struct recipients *members)
{
	if (!err)
		remember(lookup->cache, str_from(lookup->gid), members);
	lookup->done(lookup->arg, err, members);
	mem_free(lookup);
}

static struct buf redis_key(const struct lookup *lookup)
{
	struct buf key = { 0 };

	buf_printf(&key, "im:group:members:{%s}", lookup->gid);
	return key;
}

/* "version uid uid ..." */
static void write_to_redis(const struct lookup *lookup, const struct recipients *members)
{
	struct buf key = redis_key(lookup), value = { 0 };

	buf_append_u64(&value, members->member_version);
	for (uint32_t i = 0; i < members->count; i++) {
		buf_append_char(&value, ' ');
		buf_append_str(&value, members->uids[i]);
	}
	struct str args[] = { STR("SET"), buf_str(&key), buf_str(&value), STR("EX"), STR(REDIS_LIFE_S) };
	redis_command(lookup->cache->redis, args, ARRAY_LEN(args), NULL, NULL);
	buf_release(&key);
	buf_release(&value);
}

static void on_pg_members(void *arg, err_t err, const PGresult *result)
{
	struct lookup *lookup = arg;

	if (!err && PQntuples(result) == 0)
		err = ERR_NOT_FOUND;
	if (err) {
		end_lookup(lookup, err, NULL);
		return;
	}
	struct str *uids = mem_alloc(MAX_MEMBERS * sizeof(*uids));
	size_t count = pg_text_array(result, 0, 1, uids, MAX_MEMBERS);
	struct recipients *members = recipients_new(uids, (uint32_t)count, (uint64_t)pg_i64(result, 0, 0));
	mem_free(uids);
	counter_add(lookup->cache->from_pg, 1);
	write_to_redis(lookup, members);
	end_lookup(lookup, OK, members);
}

static void ask_pg(struct lookup *lookup)
{
	struct pg_params params = { 0 };

	pg_put_text(&params, str_from(lookup->gid));
	pg_query(lookup->cache->pg, PG_ANY_LANE, &recipients_members, &params, on_pg_members, lookup);
}

/* What Redis holds, or NULL if that is nothing usable. */
static struct recipients *parse_redis(struct str value)
{
	uint64_t version;
	size_t count = 0;

	if (!str_to_u64(str_cut(&value, ' '), &version) || !value.ptr)
		return NULL;
	struct str *uids = mem_alloc((value.len / 2 + 1) * sizeof(*uids));
	while (value.ptr) {
		uids[count] = str_cut(&value, ' ');
		if (!ident_is_valid(uids[count])) {
			mem_free(uids);
			return NULL;
		}
		count++;
	}
	struct recipients *members = recipients_new(uids, (uint32_t)count, version);
	mem_free(uids);
	return members;
}

static void on_redis_members(void *arg, err_t err, const redisReply *reply)
{
	struct lookup *lookup = arg;
	struct recipients *members = err ? NULL : parse_redis(redis_reply_str(reply));

	if (members && members->member_version >= lookup->version) {
		counter_add(lookup->cache->from_redis, 1);
		end_lookup(lookup, OK, members);
		return;
	}
	recipients_unref(members);
	ask_pg(lookup);
}

void member_cache_find(struct member_cache *cache, struct str gid, uint64_t version, recipients_found done, void *arg)
{
	struct group *group = find(cache, gid);

	if (group && group->members->member_version >= version) {
		list_remove(&group->recent);
		list_push_front(&cache->recent, &group->recent);
		counter_add(cache->hits, 1);
		done(arg, OK, recipients_ref(group->members));
		return;
	}
	struct lookup *lookup = MEM_NEW(struct lookup);
	lookup->cache = cache;
	(void)str_copy(lookup->gid, sizeof(lookup->gid), gid);
	lookup->version = version;
	lookup->done = done;
	lookup->arg = arg;
	struct buf key = redis_key(lookup);
	struct str args[] = { STR("GET"), buf_str(&key) };
	redis_command(cache->redis, args, ARRAY_LEN(args), on_redis_members, lookup);
	buf_release(&key);
}
