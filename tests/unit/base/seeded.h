#ifndef SKEIN_TESTS_SEEDED_H
#define SKEIN_TESTS_SEEDED_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/random.h"

/*
 * Random tests that can be run again: the seed is drawn anew in each run and
 * printed, and SKEIN_TEST_SEED puts it back.
 */
struct seeded {
	uint64_t state;
};

static inline void seeded_init(struct seeded *seeded)
{
	const char *given = getenv("SKEIN_TEST_SEED");

	seeded->state = given ? strtoull(given, NULL, 10) : random_u64();
	printf("SKEIN_TEST_SEED=%llu\n", (unsigned long long)seeded->state);
}

/* SplitMix64 (Steele, Lea, Flood). */
static inline uint64_t seeded_next(struct seeded *seeded)
{
	uint64_t z = seeded->state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static inline uint64_t seeded_below(struct seeded *seeded, uint64_t bound)
{
	return seeded_next(seeded) % bound;
}

#endif
