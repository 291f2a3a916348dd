#include "tests/bench/latency.h"

static unsigned bucket_of(uint64_t us)
{
	if (us < 32)
		return (unsigned)us;
	unsigned power = 63 - (unsigned)__builtin_clzll(us);
	unsigned bucket = (power - 4) * 32 + (unsigned)((us >> (power - 5)) & 31);

	return bucket < LATENCY_BUCKETS ? bucket : LATENCY_BUCKETS - 1;
}

/* The largest value that falls into a bucket. */
static uint64_t value_of(unsigned bucket)
{
	if (bucket < 32)
		return bucket;
	unsigned power = bucket / 32 + 4;

	return ((32ull + bucket % 32 + 1) << (power - 5)) - 1;
}

void latency_add(struct latency *latency, uint64_t us)
{
	latency->buckets[bucket_of(us)]++;
	latency->count++;
	latency->sum_us += us;
	if (us > latency->max_us)
		latency->max_us = us;
}

double latency_ms(const struct latency *latency, double quantile)
{
	uint64_t wanted = (uint64_t)((double)latency->count * quantile), seen = 0;

	for (unsigned i = 0; i < LATENCY_BUCKETS; i++) {
		seen += latency->buckets[i];
		if (seen > wanted || (seen == latency->count && seen))
			return (double)(value_of(i) < latency->max_us ? value_of(i) : latency->max_us) / 1000;
	}
	return 0;
}
