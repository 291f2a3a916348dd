#ifndef SKEIN_BASE_RING_H
#define SKEIN_BASE_RING_H

#include <stddef.h>
#include <stdint.h>

/*
 * Doubling of ring buffers. In a ring of `capacity` items (a power of two) the
 * item with the running number n is at index n & (capacity - 1). Owners keep
 * their own struct, because the other members differ.
 */

/*
 * Copies the items of a full ring into one of twice its capacity, `to`; `first` is the number of the oldest item, which it
 * keeps. An owner that counts from the index of the oldest item passes that index. Frees nothing.
 */
void ring_copy_doubled(void *to, const void *from, size_t item_size, size_t capacity, uint64_t first);

#endif
