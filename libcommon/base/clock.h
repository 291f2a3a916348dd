#ifndef SKEIN_BASE_CLOCK_H
#define SKEIN_BASE_CLOCK_H

#include <stdint.h>

/*
 * Two clocks. The monotonic one is for deadlines and durations; it never steps.
 * The wall clock is for what people and other machines read (message times,
 * token expiry); it may step either way. Tests put their own in place.
 * Thread: any; replacing them is for the start of a test.
 */

uint64_t clock_mono_us(void);
uint64_t clock_mono_ms(void);
uint64_t clock_wall_ms(void); /* since 1970 UTC */

struct clock_source {
	uint64_t (*mono_us)(void);
	uint64_t (*wall_ms)(void);
};

/* NULL puts the system's clocks back. */
void clock_replace(const struct clock_source *source);

#endif
