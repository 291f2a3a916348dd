#include "base/clock.h"

#include <stddef.h>
#include <time.h>

static uint64_t system_mono_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static uint64_t system_wall_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static const struct clock_source system_clocks = { system_mono_us, system_wall_ms };
static struct clock_source clocks = { system_mono_us, system_wall_ms };

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

void clock_replace(const struct clock_source *source)
{
	clocks = source ? *source : system_clocks;
}
