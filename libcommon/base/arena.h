#ifndef SKEIN_BASE_ARENA_H
#define SKEIN_BASE_ARENA_H

#include <stddef.h>

#include "base/text/str.h"

/*
 * Memory that is freed all at once, for the parts of one request whose sizes are not known when it begins. (For texts of
 * known sizes in one allocation see text/text_arena.h.) It begins with room that its owner provides, typically the end of the
 * owner's own allocation, and takes chunks from the heap when that is full. The callers bound its size (base/mem.h).
 * Thread: one.
 */
struct arena {
	struct arena_chunk *chunks;
	char *free; /* the room that is left, in the first room or the newest chunk */
	size_t left;
};

/* `first` is aligned as for any type; it may be NULL with size 0. */
void arena_init(struct arena *arena, void *first, size_t size);
void arena_release(struct arena *arena);

/* Zeroed, aligned for any type. */
void *arena_alloc(struct arena *arena, size_t size) __attribute__((returns_nonnull));

/* A copy with a terminator. */
struct str arena_copy(struct arena *arena, struct str text);

#endif
