#include "libclient/machines/known.h"

#include <string.h>

#include "base/mem.h"

static struct str known_key(const struct map_node *node)
{
	return known_id(container_of(node, struct known, node));
}

void known_init(struct known_set *set)
{
	map_init(&set->by_id, known_key);
	list_init(&set->quiet);
}

void known_release(struct known_set *set)
{
	list_for_each(link, &set->quiet)
		mem_free(container_of(link, struct known, quiet));
	map_release(&set->by_id);
}

struct known *known_find(const struct known_set *set, struct str conversation)
{
	struct map_node *node = map_find(&set->by_id, conversation);

	return node ? container_of(node, struct known, node) : NULL;
}

void known_touch(struct known_set *set, struct known *known)
{
	list_remove(&known->quiet);
	list_push_back(&set->quiet, &known->quiet);
}

/* Looks at 8 conversations, so that a call stays short. If all are pinned, the set exceeds its bound for a while. */
static void known_forget_the_quietest(struct known_set *set)
{
	for (int i = 0; i < 8 && !list_is_empty(&set->quiet); i++) {
		struct known *known = container_of(set->quiet.next, struct known, quiet);

		if (known->pins) {
			known_touch(set, known);
			continue;
		}
		map_remove(&set->by_id, &known->node);
		list_remove(&known->quiet);
		mem_free(known);
		return;
	}
}

struct known *known_follow(struct known_set *set, struct str conversation, uint64_t last, unsigned max)
{
	struct known *known = mem_zalloc(sizeof(*known) + conversation.len + 1);

	if (set->by_id.len >= max)
		known_forget_the_quietest(set);
	known->len = conversation.len;
	memcpy(known->id, conversation.ptr, conversation.len);
	known->last = known->taken = last;
	map_put(&set->by_id, &known->node);
	list_push_back(&set->quiet, &known->quiet);
	return known;
}
