#include "base/clock.h"

#include <stddef.h>
#include <time.h>

/* Larger than the drift of a slewed clock in minutes, and than the time between reading the two clocks. */
#define STEP_MS 300

static uint64_t clock_system_mono_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static uint64_t clock_system_wall_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static const struct clock_source system_clocks = { clock_system_mono_us, clock_system_wall_ms };
static struct clock_source clocks = { clock_system_mono_us, clock_system_wall_ms };

uint64_t clock_mono_us(void)
{
	return clocks.mono_us();
}

uint64_t clock_mono_ms(void)
{
	return clocks.mono_us() / 1000;
}

uint64_t clock_wall_ms(void)
{
	return clocks.wall_ms();
}

static int64_t clock_apart_ms(void)
{
	return (int64_t)(clock_wall_ms() - clock_mono_ms());
}

void clock_watch_init(struct clock_watch *watch)
{
	watch->apart_ms = clock_apart_ms();
}

bool clock_watch_was_set(struct clock_watch *watch)
{
	int64_t before_ms = watch->apart_ms;

	watch->apart_ms = clock_apart_ms();
	return watch->apart_ms > before_ms + STEP_MS || watch->apart_ms < before_ms - STEP_MS;
}

void clock_replace(const struct clock_source *source)
{
	clocks = source ? *source : system_clocks;
}
