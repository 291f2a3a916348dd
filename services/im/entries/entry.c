#include "im/entries/entry.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/text/text_arena.h"

struct entry *entry_new(const struct entry_kind *kind, size_t size, struct str conversation,
                        const struct entry_caller *caller, struct str *texts, size_t text_count)
{
	const struct str own[] = { conversation, caller->traceparent };
	size_t texts_size = text_arena_size(own, ARRAY_LEN(own)) + text_arena_size(texts, text_count);
	struct entry *entry = mem_alloc(size + texts_size);
	struct text_arena arena = text_arena((char *)entry + size, texts_size);

	memset(entry, 0, size);
	*entry = (struct entry){
		.kind = kind,
		.done = caller->done,
		.arg = caller->arg,
		.conversation_hash = str_hash(conversation),
		.conversation = text_arena_put(&arena, conversation),
		.traceparent = text_arena_put(&arena, caller->traceparent),
		.record_size = size + texts_size,
	};
	list_init(&entry->link);
	list_init(&entry->by_deadline);
	for (size_t i = 0; i < text_count; i++)
		texts[i] = text_arena_put(&arena, texts[i]);
	return entry;
}

void entry_free(struct entry *entry)
{
	list_remove(&entry->link);
	list_remove(&entry->by_deadline);
	mem_free(entry);
}

void entry_answer(struct entry *entry, const struct entry_result *result)
{
	entry_done done = entry->done;

	entry->done = NULL;
	list_remove(&entry->by_deadline);
	if (done)
		done(entry->arg, result);
}

void entry_detail(struct entry_result *result, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(result->detail_text, sizeof(result->detail_text), format, args);
	va_end(args);
	result->detail = result->detail_text;
}
