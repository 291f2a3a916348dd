#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

static void *mem_or_die(void *ptr, size_t size)
{
	if (!ptr) {
		fprintf(stderr, "out of memory: %zu bytes wanted\n", size);
		abort();
	}
	return ptr;
}

/* malloc(0) may return NULL. */
static size_t mem_at_least_one(size_t size)
{
	return size ? size : 1;
}

void *mem_alloc(size_t size)
{
	return mem_or_die(malloc(mem_at_least_one(size)), size);
}

void *mem_zalloc(size_t size)
{
	return mem_or_die(calloc(1, mem_at_least_one(size)), size);
}

void *mem_resize(void *ptr, size_t size)
{
	return mem_or_die(realloc(ptr, mem_at_least_one(size)), size);
}

void mem_free(void *ptr)
{
	free(ptr);
}
