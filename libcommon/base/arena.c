#include "base/arena.h"

#include "base/macros.h"
#include "base/mem.h"

#define ARENA_CHUNK 4096

struct arena_chunk {
	struct arena_chunk *next;
	_Alignas(max_align_t) char bytes[];
};

void arena_init(struct arena *arena, void *first, size_t size)
{
	*arena = (struct arena){ .free = first, .left = size };
}

void arena_release(struct arena *arena)
{
	for (struct arena_chunk *chunk = arena->chunks, *next; chunk; chunk = next) {
		next = chunk->next;
		mem_free(chunk);
	}
	*arena = (struct arena){ 0 };
}

void *arena_alloc(struct arena *arena, size_t size)
{
	struct arena_chunk *chunk;

	size = (size + _Alignof(max_align_t) - 1) / _Alignof(max_align_t) * _Alignof(max_align_t);
	if (arena->free && size <= arena->left) {
		char *place = arena->free;
		arena->free += size;
		arena->left -= size;
		return memset(place, 0, size);
	}
	size_t room = MAX(size, (size_t)ARENA_CHUNK);
	chunk = mem_alloc(sizeof(*chunk) + room);
	chunk->next = arena->chunks;
	arena->chunks = chunk;
	/* Of the rest of this chunk and the rest of the one before, the larger serves the next requests. */
	if (room - size > arena->left) {
		arena->free = chunk->bytes + size;
		arena->left = room - size;
	}
	return memset(chunk->bytes, 0, size);
}

struct str arena_copy(struct arena *arena, struct str text)
{
	char *copy = arena_alloc(arena, text.len + 1);

	if (text.len)
		memcpy(copy, text.ptr, text.len);
	return str_of(copy, text.len);
}
