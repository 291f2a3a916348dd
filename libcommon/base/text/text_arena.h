#ifndef SKEIN_BASE_TEXT_TEXT_ARENA_H
#define SKEIN_BASE_TEXT_TEXT_ARENA_H

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "base/text/str.h"

/*
 * Copies of several texts, each terminated, in one piece of memory: usually the
 * end of the allocation of the struct that refers to them.
 *
 *   size_t texts_size = text_arena_size(texts, ARRAY_LEN(texts));
 *   struct thing *thing = mem_alloc(sizeof(*thing) + texts_size);
 *   struct text_arena arena = text_arena(thing + 1, texts_size);
 *   thing->name = text_arena_put(&arena, texts[0]);
 *
 * Putting more than the size given is a bug (assert). The memory is the caller's.
 */
struct text_arena {
	char *next;
	char *end;
};

static inline struct text_arena text_arena(void *memory, size_t size)
{
	return (struct text_arena){ memory, (char *)memory + size };
}

/* Bytes that the texts need, with their terminators. */
static inline size_t text_arena_size(const struct str *texts, size_t count)
{
	size_t size = count;

	for (size_t i = 0; i < count; i++)
		size += texts[i].len;
	return size;
}

/* A terminated copy; "" for an absent text (NULL). */
static inline char *text_arena_put_text(struct text_arena *arena, struct str text)
{
	char *copy = arena->next;

	assert(text.len < (size_t)(arena->end - copy));
	if (text.len)
		memcpy(copy, text.ptr, text.len);
	copy[text.len] = '\0';
	arena->next += text.len + 1;
	return copy;
}

/* The same as a str. An absent text (NULL) stays absent and takes no room. */
static inline struct str text_arena_put(struct text_arena *arena, struct str text)
{
	return text.ptr ? str_of(text_arena_put_text(arena, text), text.len) : text;
}

#endif
