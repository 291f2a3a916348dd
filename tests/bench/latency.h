#ifndef SKEIN_BENCH_LATENCY_H
#define SKEIN_BENCH_LATENCY_H

#include <stdint.h>

/* Latencies in buckets of 1/32 of their power of two: 3 % exact from 1 us to an hour. */
#define LATENCY_BUCKETS 1024

struct latency {
	uint64_t buckets[LATENCY_BUCKETS];
	uint64_t count, max_us, sum_us;
};

void latency_add(struct latency *latency, uint64_t us);
double latency_ms(const struct latency *latency, double quantile); /* 0.5, 0.99 ... */

#endif
