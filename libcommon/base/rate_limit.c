#include "base/rate_limit.h"

#include <math.h>

#include "base/macros.h"

/* A bucket smaller than one token would never let anything through. */
static double rate_limit_capacity(double burst)
{
	return MAX(burst, 1.0);
}

static double rate_limit_missing_at(const struct rate_limit *bucket, double per_second, uint64_t now_ms)
{
	if (now_ms <= bucket->updated_ms)
		return bucket->missing;
	double refilled = (double)(now_ms - bucket->updated_ms) * per_second / 1000;
	return MAX(bucket->missing - refilled, 0.0);
}

/* Rounded so that waiting exactly this long is enough. */
static bool rate_limit_has_token(double missing, double burst)
{
	return missing + 1 <= rate_limit_capacity(burst) + 1e-6;
}

bool rate_limit_take(struct rate_limit *bucket, double per_second, double burst, uint64_t now_ms)
{
	if (per_second <= 0)
		return true;
	bucket->missing = rate_limit_missing_at(bucket, per_second, now_ms);
	bucket->updated_ms = MAX(bucket->updated_ms, now_ms);
	if (!rate_limit_has_token(bucket->missing, burst))
		return false;
	bucket->missing += 1;
	return true;
}

void rate_limit_give_back(struct rate_limit *bucket)
{
	bucket->missing = MAX(bucket->missing - 1, 0.0);
}

uint64_t rate_limit_wait_ms(const struct rate_limit *bucket, double per_second, double burst, uint64_t now_ms)
{
	if (per_second <= 0)
		return 0;
	double missing = rate_limit_missing_at(bucket, per_second, now_ms);
	if (rate_limit_has_token(missing, burst))
		return 0;
	return (uint64_t)ceil((missing + 1 - rate_limit_capacity(burst)) / per_second * 1000);
}
