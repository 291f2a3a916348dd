#include "gateway/queues/watches.h"

#include <string.h>

#include "base/mem.h"

static struct str watches_uid_of(const struct map_node *link)
{
	return str_from(container_of(link, struct watched, link)->uid);
}

void watches_init(struct watches *watches)
{
	map_init(&watches->by_uid, watches_uid_of);
}

void watches_release(struct watches *watches)
{
	map_release(&watches->by_uid);
}

struct watched *watches_find(const struct watches *watches, struct str uid)
{
	struct map_node *found = map_find(&watches->by_uid, uid);

	return found ? container_of(found, struct watched, link) : NULL;
}

static struct watched *watches_of(struct watches *watches, struct str uid)
{
	struct watched *watched = watches_find(watches, uid);

	if (watched)
		return watched;
	watched = MEM_NEW(struct watched);
	list_init(&watched->watchers);
	(void)str_copy(watched->uid, sizeof(watched->uid), uid);
	map_put(&watches->by_uid, &watched->link);
	return watched;
}

static struct watch *watch_list_find(struct watch_list *list, const struct watched *watched)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->items[i].watched == watched)
			return &list->items[i];
	return NULL;
}

struct watch_list *watch_list_new(struct watches *watches, struct session *session, const char *uids, size_t count)
{
	struct watch_list *list = mem_zalloc(sizeof(*list) + count * sizeof(list->items[0]));

	list->all = watches;
	list->session = session;
	for (size_t i = 0; i < count; i++, uids += strlen(uids) + 1) {
		struct watched *watched = watches_of(watches, str_from(uids));

		if (watch_list_find(list, watched))
			continue;
		struct watch *watch = &list->items[list->count++];
		watch->watched = watched;
		watch->list = list;
		list_push_back(&watched->watchers, &watch->link);
	}
	return list;
}

void watch_list_free(struct watch_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		struct watched *watched = list->items[i].watched;

		list_remove(&list->items[i].link);
		if (!list_is_empty(&watched->watchers))
			continue;
		map_remove(&list->all->by_uid, &watched->link);
		mem_free(watched);
	}
	mem_free(list);
}

bool watch_is_news(struct watch *watch, uint64_t what)
{
	if (watch->told == what)
		return false;
	watch->told = what;
	return true;
}

bool watch_list_is_news(struct watch_list *list, struct str uid, uint64_t what)
{
	struct watched *watched = watches_find(list->all, uid);
	struct watch *watch = watched ? watch_list_find(list, watched) : NULL;

	return !watch || watch_is_news(watch, what);
}
