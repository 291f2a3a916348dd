#ifndef SKEIN_BASE_MEM_H
#define SKEIN_BASE_MEM_H

#include <stddef.h>

/*
 * Memory for things whose number and size are bounded elsewhere. Running out of
 * it is not an error that a caller could handle better than a restart does:
 * these never return NULL, they end the process with a line on stderr. What
 * comes from outside is bounded before it gets here.
 */

void *mem_alloc(size_t size) __attribute__((malloc, returns_nonnull));
void *mem_zalloc(size_t size) __attribute__((malloc, returns_nonnull)); /* zeroed */
void *mem_resize(void *ptr, size_t size) __attribute__((returns_nonnull));
void mem_free(void *ptr); /* NULL is fine */

#define MEM_NEW(type) ((type *)mem_zalloc(sizeof(type)))

#endif
