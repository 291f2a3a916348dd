#include "push/recipients/member_cache.h"

#include "base/list.h"
#include "base/macros.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/sabotage.h"
#include "base/telemetry/metrics.h"
#include "base/text/buf.h"
#include "base/text/ident.h"
#include "store/pg/pg.h"

/* A page of the members of group $1 as of version $2: at most $4 uids after $3, in the database's order. */
static const struct pg_statement member_cache_page = {
	"push_members",
	"select uid from fn.members_as_of($1::text, $2::bigint, $3::text, $4::integer)",
};

struct cached_group {
	struct map_node link;
	struct list recent; /* in the cache's list, the latest used first */
	char id[CONVERSATION_ID_MAX + 1];
	struct recipients *members;
	uint64_t version; /* the seq of the entry that made this list */
	uint64_t through; /* no later entry up to this seq changed it */
};

struct member_cache {
	struct pg *pg;
	uint64_t max_members, members;
	struct map groups;
	struct list recent;
	struct counter *hits, *from_delta, *from_pg;
};

static struct str member_cache_key_of(const struct map_node *node)
{
	return str_from(container_of(node, struct cached_group, link)->id);
}

struct member_cache *member_cache_new(struct pg *pg, uint64_t max_members)
{
	const char *name = "skein_push_member_lookups_total", *help = "Look-ups of a group's members, by what answered.";
	struct member_cache *cache = MEM_NEW(struct member_cache);

	cache->pg = pg;
	cache->max_members = max_members;
	map_init(&cache->groups, member_cache_key_of);
	list_init(&cache->recent);
	cache->hits = metrics_counter(name, help, "from=\"cache\"");
	cache->from_delta = metrics_counter(name, help, "from=\"delta\"");
	cache->from_pg = metrics_counter(name, help, "from=\"postgres\"");
	return cache;
}

/* ---- the lists in memory ---- */

static struct cached_group *member_cache_group(struct member_cache *cache, struct str id)
{
	struct map_node *node = map_find(&cache->groups, id);

	return node ? container_of(node, struct cached_group, link) : NULL;
}

static void member_cache_forget(struct member_cache *cache, struct cached_group *group)
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
		member_cache_forget(cache, container_of(cache->recent.next, struct cached_group, recent));
	map_release(&cache->groups);
	mem_free(cache);
}

static struct cached_group *member_cache_add(struct member_cache *cache, struct str id)
{
	struct cached_group *group = MEM_NEW(struct cached_group);

	(void)str_copy(group->id, sizeof(group->id), id);
	group->members = recipients_new(NULL, 0);
	list_init(&group->recent);
	map_put(&cache->groups, &group->link);
	return group;
}

/* Replaces the group's list. Over max_members, the groups that were not used for longest are forgotten. */
static void member_cache_put(struct member_cache *cache, struct cached_group *group, struct recipients *members,
                             const struct member_question *question)
{
	bool is_same_version = group->version == question->version;

	cache->members += members->count;
	cache->members -= group->members->count;
	recipients_ref(members);
	recipients_unref(group->members);
	group->members = members;
	group->version = question->version;
	group->through = is_same_version ? MAX(group->through, question->last_seq) : question->last_seq;
	list_remove(&group->recent);
	list_push_front(&cache->recent, &group->recent);
	while (cache->members > cache->max_members && cache->recent.prev != &group->recent)
		member_cache_forget(cache, container_of(cache->recent.prev, struct cached_group, recent));
}

/* A reference to the members, from memory or from memory and the question's delta. NULL: PostgreSQL has to be asked. */
static struct recipients *member_cache_answer(struct member_cache *cache, const struct member_question *question)
{
	struct cached_group *group = member_cache_group(cache, question->conversation_id);

	if (!group || group->version > question->version)
		return NULL;
	if (group->version == question->version) {
		group->through = MAX(group->through, question->last_seq);
		list_remove(&group->recent);
		list_push_front(&cache->recent, &group->recent);
		counter_add(cache->hits, 1);
		return recipients_ref(group->members);
	}
	if (!question->delta || question->version != question->first_seq || group->through + 1 != question->first_seq)
		return NULL;
	struct recipients *members = sabotaged(SABOTAGE_DELTA_LOST) ? recipients_ref(group->members) :
	                                                              recipients_changed(group->members, question->delta);
	if (members) {
		member_cache_put(cache, group, members, question);
		counter_add(cache->from_delta, 1);
	}
	return members;
}

/* ---- reading them ---- */

struct member_lookup {
	struct member_cache *cache;
	char id[CONVERSATION_ID_MAX + 1];
	struct member_question question; /* its conversation_id is `id` */
	struct buf text; /* the uids read so far, one behind the other */
	size_t *lens;
	size_t count, capacity;
	members_found done;
	void *arg;
};

static void member_lookup_end(struct member_lookup *lookup, err_t err, struct recipients *members)
{
	members_found done = lookup->done;
	void *arg = lookup->arg;

	buf_release(&lookup->text);
	mem_free(lookup->lens);
	mem_free(lookup);
	done(arg, err, members);
}

static void member_lookup_finish(struct member_lookup *lookup)
{
	struct member_cache *cache = lookup->cache;
	const struct member_question *question = &lookup->question;
	struct cached_group *group = member_cache_group(cache, question->conversation_id);
	struct str *uids = mem_alloc(lookup->count * sizeof(*uids));
	const char *at = lookup->text.ptr;

	for (size_t i = 0; i < lookup->count; at += lookup->lens[i++])
		uids[i] = str_of(at, lookup->lens[i]);
	struct recipients *members = recipients_new(uids, lookup->count);
	mem_free(uids);
	counter_add(cache->from_pg, 1);
	if (!group || group->version <= question->version)
		member_cache_put(cache, group ? group : member_cache_add(cache, question->conversation_id), members, question);
	member_lookup_end(lookup, OK, members);
}

static void member_lookup_read_page(struct member_lookup *lookup, struct str after);

static void member_lookup_on_page(void *arg, err_t err, const PGresult *result)
{
	struct member_lookup *lookup = arg;
	int count = err ? 0 : PQntuples(result);

	if (err) {
		member_lookup_end(lookup, err, NULL);
		return;
	}
	for (int row = 0; row < count; row++) {
		struct str uid = pg_text(result, row, 0);

		if (lookup->count == lookup->capacity) {
			lookup->capacity = lookup->capacity ? 2 * lookup->capacity : 64;
			lookup->lens = mem_resize(lookup->lens, lookup->capacity * sizeof(*lookup->lens));
		}
		lookup->lens[lookup->count++] = uid.len;
		buf_append_str(&lookup->text, uid);
	}
	if (count == MEMBERS_PAGE)
		member_lookup_read_page(lookup, pg_text(result, count - 1, 0));
	else
		member_lookup_finish(lookup);
}

static void member_lookup_read_page(struct member_lookup *lookup, struct str after)
{
	struct pg_params params = { 0 };

	pg_put_text(&params, lookup->question.conversation_id);
	pg_put_i64(&params, (int64_t)lookup->question.version);
	pg_put_text(&params, after);
	pg_put_i32(&params, MEMBERS_PAGE);
	pg_query(lookup->cache->pg, PG_ANY_LANE, &member_cache_page, &params, member_lookup_on_page, lookup);
}

void member_cache_find(struct member_cache *cache, const struct member_question *question, members_found done, void *arg)
{
	bool is_as_of = !sabotaged(SABOTAGE_NEWEST_MEMBERS);
	struct recipients *members = is_as_of ? member_cache_answer(cache, question) : NULL;

	if (members) {
		done(arg, OK, members);
		return;
	}
	struct member_lookup *lookup = MEM_NEW(struct member_lookup);
	lookup->cache = cache;
	(void)str_copy(lookup->id, sizeof(lookup->id), question->conversation_id);
	lookup->question = *question;
	lookup->question.conversation_id = str_from(lookup->id);
	lookup->question.delta = NULL;
	if (!is_as_of)
		lookup->question.version = INT64_MAX;
	lookup->done = done;
	lookup->arg = arg;
	member_lookup_read_page(lookup, STR(""));
}
