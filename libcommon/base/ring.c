#include "base/ring.h"

#include <string.h>

void ring_copy_doubled(void *to, const void *from, size_t item_size, size_t capacity, uint64_t first)
{
	for (uint64_t number = first; number < first + capacity; number++)
		memcpy((char *)to + (number & (2 * capacity - 1)) * item_size,
		       (const char *)from + (number & (capacity - 1)) * item_size, item_size);
}
