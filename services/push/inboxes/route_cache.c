#include "push/inboxes/route_cache.h"

#include <string.h>

#include "base/macros.h"
#include "base/mem.h"

static struct str route_cache_key_of(const struct map_node *node)
{
	return container_of(node, struct user_routes, link)->uid;
}

void route_cache_init(struct route_cache *cache, size_t max)
{
	const char *name = "skein_push_route_lookups_total", *help = "Appends by where the routes came from.";

	map_init(&cache->by_uid, route_cache_key_of);
	list_init(&cache->recent);
	cache->max = max;
	cache->hits = metrics_counter(name, help, "from=\"cache\"");
	cache->misses = metrics_counter(name, help, "from=\"redis\"");
	cache->changed = metrics_counter(name, help, "from=\"redis_changed\"");
}

struct user_routes *user_routes_ref(struct user_routes *routes)
{
	routes->refs++;
	return routes;
}

void user_routes_unref(struct user_routes *routes)
{
	if (routes && --routes->refs == 0)
		mem_free(routes);
}

static void route_cache_drop(struct route_cache *cache, struct user_routes *routes)
{
	map_remove(&cache->by_uid, &routes->link);
	list_remove(&routes->recent);
	user_routes_unref(routes);
}

void route_cache_release(struct route_cache *cache)
{
	while (!list_is_empty(&cache->recent))
		route_cache_drop(cache, container_of(cache->recent.next, struct user_routes, recent));
	map_release(&cache->by_uid);
}

struct user_routes *route_cache_find(struct route_cache *cache, struct str uid)
{
	struct map_node *node = map_find(&cache->by_uid, uid);

	if (!node)
		return NULL;
	struct user_routes *routes = container_of(node, struct user_routes, link);
	list_remove(&routes->recent);
	list_push_front(&cache->recent, &routes->recent);
	return routes;
}

void route_cache_forget(struct route_cache *cache, struct str uid)
{
	struct map_node *node = map_find(&cache->by_uid, uid);

	if (node)
		route_cache_drop(cache, container_of(node, struct user_routes, link));
}

/* Copies the text to `*at`, which moves behind it. */
static struct str route_cache_copy(char **at, struct str text)
{
	struct str copy = str_of(*at, text.len);

	if (text.len)
		memcpy(*at, text.ptr, text.len);
	*at += text.len;
	return copy;
}

static struct user_routes *route_cache_copy_all(struct str uid, const struct device_routes *read)
{
	size_t text = uid.len;

	for (size_t i = 0; i < read->count; i++)
		text += read->items[i].device.len + read->items[i].route.node.len + read->items[i].route.platform.len;
	struct user_routes *routes = mem_alloc(sizeof(*routes) + read->count * sizeof(routes->items[0]) + text);
	char *at = (char *)&routes->items[read->count];
	routes->uid = route_cache_copy(&at, uid);
	routes->count = read->count;
	for (size_t i = 0; i < read->count; i++) {
		struct device_route *item = &routes->items[i];

		*item = read->items[i];
		item->device = route_cache_copy(&at, item->device);
		item->route.node = route_cache_copy(&at, item->route.node);
		item->route.platform = route_cache_copy(&at, item->route.platform);
	}
	return routes;
}

struct user_routes *route_cache_put(struct route_cache *cache, struct str uid, const struct inbox_appended *appended)
{
	struct device_routes read = device_routes_read(appended->routes);
	struct user_routes *routes = route_cache_copy_all(uid, &read);

	mem_free(read.items);
	routes->refs = 1;
	routes->known = appended->known;
	route_cache_forget(cache, uid);
	map_put(&cache->by_uid, &routes->link);
	list_init(&routes->recent);
	list_push_front(&cache->recent, &routes->recent);
	if (cache->by_uid.len > cache->max)
		route_cache_drop(cache, container_of(cache->recent.prev, struct user_routes, recent));
	return routes;
}
