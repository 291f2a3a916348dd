#include "libclient/machines/outbox.h"

#include <string.h>

#include "base/mem.h"

struct outbox_lane {
	struct map_node node;
	struct list ready; /* in outbox.ready, or in none while its first item is asking */
	struct list items;
	size_t len;
	char destination[];
};

static struct str outbox_key_of(const struct map_node *node)
{
	const struct outbox_lane *lane = container_of(node, struct outbox_lane, node);

	return str_of(lane->destination, lane->len);
}

void outbox_init(struct outbox *outbox, unsigned max_items, unsigned max_asking)
{
	*outbox = (struct outbox){ .max_items = max_items, .max_asking = max_asking };
	map_init(&outbox->lanes, outbox_key_of);
	list_init(&outbox->ready);
}

void outbox_release(struct outbox *outbox)
{
	map_release(&outbox->lanes);
}

static struct outbox_lane *outbox_lane_to(struct outbox *outbox, struct str destination)
{
	struct map_node *node = map_find(&outbox->lanes, destination);

	if (node)
		return container_of(node, struct outbox_lane, node);
	struct outbox_lane *lane = mem_zalloc(sizeof(*lane) + destination.len);
	lane->len = destination.len;
	memcpy(lane->destination, destination.ptr, destination.len);
	list_init(&lane->items);
	list_init(&lane->ready);
	map_put(&outbox->lanes, &lane->node);
	list_push_back(&outbox->ready, &lane->ready);
	return lane;
}

bool outbox_add(struct outbox *outbox, struct outbox_item *item, struct str destination)
{
	if (outbox->item_count >= outbox->max_items)
		return false;
	item->lane = outbox_lane_to(outbox, destination);
	list_push_back(&item->lane->items, &item->link);
	outbox->item_count++;
	return true;
}

struct outbox_item *outbox_take(struct outbox *outbox)
{
	if (outbox->is_paused || outbox->asking_count >= outbox->max_asking || list_is_empty(&outbox->ready))
		return NULL;
	struct outbox_lane *lane = container_of(list_pop_front(&outbox->ready), struct outbox_lane, ready);
	outbox->asking_count++;
	return container_of(lane->items.next, struct outbox_item, link);
}

static void outbox_remove_item(struct outbox *outbox, struct outbox_item *item)
{
	struct outbox_lane *lane = item->lane;

	list_remove(&item->link);
	outbox->item_count--;
	if (!list_is_empty(&lane->items))
		return;
	map_remove(&outbox->lanes, &lane->node);
	list_remove(&lane->ready);
	mem_free(lane);
}

void outbox_answered(struct outbox *outbox, struct outbox_item *item)
{
	outbox->asking_count--;
	list_push_back(&outbox->ready, &item->lane->ready);
	outbox_remove_item(outbox, item);
}

void outbox_failed(struct outbox *outbox, struct outbox_item *item)
{
	outbox->asking_count--;
	outbox->is_paused = true;
	list_push_front(&outbox->ready, &item->lane->ready);
}

void outbox_resume(struct outbox *outbox)
{
	outbox->is_paused = false;
}

struct outbox_item *outbox_remove_any(struct outbox *outbox)
{
	struct map_node *first = map_first(&outbox->lanes);

	if (!first)
		return NULL;
	struct outbox_lane *lane = container_of(first, struct outbox_lane, node);
	struct outbox_item *item = container_of(lane->items.next, struct outbox_item, link);
	outbox_remove_item(outbox, item);
	return item;
}
