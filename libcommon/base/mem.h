#ifndef SKEIN_BASE_MEM_H
#define SKEIN_BASE_MEM_H

#include <stddef.h>

/*
 * Memory whose amount is bounded elsewhere: input from outside is checked before
 * it gets here. These functions never return NULL. When there is no memory they
 * print a line on stderr and abort, because no caller could do better than a
 * restart. Thread: any.
 */

void *mem_alloc(size_t size) __attribute__((malloc, returns_nonnull));
void *mem_zalloc(size_t size) __attribute__((malloc, returns_nonnull)); /* zeroed */
void *mem_resize(void *ptr, size_t size) __attribute__((returns_nonnull));
void mem_free(void *ptr); /* NULL is fine */

#define MEM_NEW(type) ((type *)mem_zalloc(sizeof(type)))

/*
 * Makes room for one more item in a growing array: when `count` has reached `capacity`, the capacity is doubled, from
 * `least` on. `items` and `capacity` are variables.
 */
#define MEM_RESERVE_ONE(items, count, capacity, least) \
	do { \
		if ((count) == (capacity)) { \
			(capacity) = (capacity) ? 2 * (capacity) : (least); \
			(items) = mem_resize((items), (capacity) * sizeof(*(items))); \
		} \
	} while (0)

#endif
