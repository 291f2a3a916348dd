#include "push/inboxes/inboxes.h"

void inboxes_init(struct inboxes *inboxes, size_t max_cached_users)
{
	const char *name = "skein_push_redis_keys_broken_total",
		   *help = "Keys of users that were removed, as they had another type.";

	append_window_init(&inboxes->window, APPEND_WINDOW_MAX);
	route_cache_init(&inboxes->routes, max_cached_users);
	inboxes->broken_inboxes = metrics_counter(name, help, "what=\"inbox\"");
	inboxes->broken_routes = metrics_counter(name, help, "what=\"routes\"");
}

void inboxes_release(struct inboxes *inboxes)
{
	route_cache_release(&inboxes->routes);
}
