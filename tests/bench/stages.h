#ifndef SKEIN_BENCH_STAGES_H
#define SKEIN_BENCH_STAGES_H

#include <jansson.h>
#include <stdint.h>

#include "base/text/str.h"

/*
 * The stages of a message, from the services' own histograms: SKEIN_INTERNAL names their internal ports. The difference of two
 * readings is what happened in between. Quantiles are interpolated in a bucket, so they are as exact as the buckets are narrow.
 */

#define STAGES 8
#define STAGE_BUCKETS 32

struct stages {
	struct stage_counts {
		unsigned buckets;
		double bounds_s[STAGE_BUCKETS];
		uint64_t counts[STAGE_BUCKETS]; /* cumulative, as the services tell them; of all processes */
		double sum_s;
	} all[STAGES];
};

/* Asks every process for its metrics. */
void stages_read(struct stages *stages);

/* Adds one process's metrics. */
void stages_add(struct stages *stages, struct str metrics);

/* Prints the stages between two readings, and returns them. */
json_t *stages_report(const struct stages *before, const struct stages *after);

#endif
