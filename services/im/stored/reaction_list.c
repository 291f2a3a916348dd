#include "im/stored/reaction_list.h"

#include "base/mem.h"
#include "base/text/text_arena.h"

static size_t reaction_list_count(struct str text)
{
	size_t count = 1;

	for (size_t i = 0; i < text.len; i++)
		count += text.ptr[i] == '\n';
	return count;
}

/* A line is "<count> <+ or -> <emoji>". The emoji may have blanks. */
static void reaction_list_read_line(Skein__V1__Reaction *reaction, struct str line, struct text_arena *arena)
{
	uint64_t count = 0;

	skein__v1__reaction__init(reaction);
	(void)str_to_u64(str_cut(&line, ' '), &count);
	reaction->count = (uint32_t)count;
	reaction->mine = str_equal(str_cut(&line, ' '), STR("+"));
	reaction->emoji = text_arena_put_text(arena, line);
}

struct reaction_list *reaction_list_new(struct str text)
{
	if (text.len == 0)
		return NULL;
	size_t count = reaction_list_count(text), texts_size = text.len + 1;
	size_t size = sizeof(struct reaction_list) +
	              count * (sizeof(Skein__V1__Reaction *) + sizeof(Skein__V1__Reaction)) + texts_size;
	struct reaction_list *list = mem_alloc(size);
	Skein__V1__Reaction **items = (Skein__V1__Reaction **)(list + 1), *reactions = (Skein__V1__Reaction *)(items + count);
	struct text_arena arena = text_arena(reactions + count, texts_size);

	for (size_t i = 0; i < count; i++) {
		items[i] = &reactions[i];
		reaction_list_read_line(items[i], str_cut(&text, '\n'), &arena);
	}
	*list = (struct reaction_list){ size, count, items };
	return list;
}
