#ifndef SKEIN_BASE_CLOCK_H
#define SKEIN_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Two clocks. The monotonic one is for deadlines and durations; it never steps.
 * The wall clock is for what people and other machines read (message times,
 * token expiry); it may step either way. Tests replace both before they start
 * threads. Thread: any.
 */

uint64_t clock_mono_us(void);
uint64_t clock_mono_ms(void);
uint64_t clock_wall_ms(void); /* since 1970 UTC */

/* Detects that the wall clock was set, or that the machine slept: the difference of the two clocks changes. */
struct clock_watch {
	int64_t apart_ms;
};

void clock_watch_init(struct clock_watch *watch);

/* True if the wall clock stepped by more than 300 ms, either way, since the last call. */
bool clock_watch_was_set(struct clock_watch *watch);

struct clock_source {
	uint64_t (*mono_us)(void);
	uint64_t (*wall_ms)(void);
};

/* NULL restores the system's clocks. */
void clock_replace(const struct clock_source *source);

#endif
