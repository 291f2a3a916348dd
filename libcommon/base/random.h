#ifndef SKEIN_BASE_RANDOM_H
#define SKEIN_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* From the kernel; fit for secrets. Thread: any. */
void random_bytes(void *out, size_t len);
uint64_t random_u64(void);

/* Evenly distributed in 0..bound-1; bound > 0. */
uint64_t random_below(uint64_t bound);

/* `digits` lowercase hexadecimal digits and a terminator. */
void random_hex(char *out, size_t digits);

#endif
