#include "inbox_rig.h"

#include "base/mem.h"

const char *const conversation_names[CONVERSATIONS] = { "u:alice:bob", "g:1", "g:hot" };
int items_alive;

struct inbox_item *new_item(int conversation, uint64_t seq, uint64_t offset)
{
	struct inbox_item *item = MEM_NEW(struct inbox_item);

	item->conversation = str_from(conversation_names[conversation]);
	item->seq = seq;
	item->offset = offset;
	item->bytes = 10;
	items_alive++;
	return item;
}

void let_go(struct inbox_item *item)
{
	items_alive--;
	mem_free(item);
}

const struct inbox_rules roomy_rules = {
	.max_held = 100, .max_held_bytes = 10000, .max_untaken = 100, .max_conversations = 10,
	.settle_every = 3, .settle_after_ms = 10, .let_go = let_go,
};
