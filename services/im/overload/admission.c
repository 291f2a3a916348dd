#include "im/overload/admission.h"

#include <assert.h>
#include <string.h>

#include "base/macros.h"

/*
 * Change of the share in one interval: for each second of error, and for each second by which the error changed. CHANGE_GAIN
 * times the age of the signals, 0.1 to 0.3 s, must stay well below 1.5, else the loop oscillates. With this ERROR_GAIN the loop
 * hardly overshoots.
 */
#define ERROR_GAIN 0.3
#define CHANGE_GAIN 4.0

/* The largest change in one interval: a single long wait says little about the load. */
#define STEP_MAX 0.8

/* In each interval this much more is let in while both waits are below half of their targets. */
#define IDLE_STEP 0.1

void admission_init(struct admission *admission, unsigned store_target_ms, unsigned delivery_target_ms, unsigned free_rate,
                    uint64_t seed)
{
	assert(store_target_ms > 0 && delivery_target_ms > 0);
	*admission = (struct admission){
		.share = 1,
		.store_target_ms = store_target_ms,
		.delivery_target_ms = delivery_target_ms,
		.free_sends = free_rate,
		.free_rate = free_rate,
		.lot = seed,
	};
}

static double admission_clamp(double number, double least, double most)
{
	return MAX(least, MIN(number, most));
}

/* By how much the share falls; negative when it rises. */
static double admission_step_of(const struct admission *admission, double error_ms)
{
	double change_ms = error_ms - admission->last_error_ms;

	/* Changes below the target do not matter while all is let in. */
	if (error_ms <= 0 && admission->share >= 1)
		return 0;
	double step = ERROR_GAIN * MIN(error_ms, ADMISSION_ERROR_MAX_MS) / 1000 + CHANGE_GAIN * change_ms / 1000;
	return admission_clamp(step, -STEP_MAX, STEP_MAX);
}

/*
 * The error to act on. While all is let in, that is the least one of the last intervals: a pause of a store or a broker ends
 * by itself when the load fits, an overload lasts.
 */
static double admission_lasting(struct admission *admission, double error_ms)
{
	double least_ms = error_ms;

	for (unsigned i = 0; i < ADMISSION_LASTING - 1; i++)
		least_ms = MIN(least_ms, admission->errors_ms[i]);
	memmove(&admission->errors_ms[1], &admission->errors_ms[0], sizeof(admission->errors_ms) - sizeof(admission->errors_ms[0]));
	admission->errors_ms[0] = error_ms;
	return admission->share < 1 ? error_ms : least_ms;
}

void admission_update(struct admission *admission, const struct admission_waits *waits)
{
	double store_error_ms = (double)waits->store_ms - admission->store_target_ms;
	double delivery_error_ms = (double)waits->delivery_ms - admission->delivery_target_ms;
	double error_ms = admission_lasting(admission, MAX(store_error_ms, delivery_error_ms));
	double step = admission_step_of(admission, error_ms);
	bool is_idle = waits->store_ms < admission->store_target_ms / 2 &&
	               waits->delivery_ms < admission->delivery_target_ms / 2;

	admission->last_error_ms = error_ms;
	if (is_idle)
		step = MIN(step, 0) - IDLE_STEP;
	/* The same step up and down is the same factor. */
	admission->share = step > 0 ? admission->share / (1 + step) : admission->share * (1 - step);
	admission->share = admission_clamp(admission->share, ADMISSION_SHARE_MIN, 1);
	double refill = admission->free_rate * ADMISSION_INTERVAL_MS / 1000.0;
	admission->free_sends = MIN(admission->free_sends + refill, admission->free_rate);
}

/* splitmix64: fast and even; nothing here is a secret. */
static uint64_t admission_draw(struct admission *admission)
{
	uint64_t z = admission->lot += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

bool admission_refuses(struct admission *admission)
{
	if (admission->share >= 1)
		return false;
	if (admission->free_sends >= 1) {
		admission->free_sends--;
		return false;
	}
	return (double)(admission_draw(admission) >> 11) >= admission->share * (double)(1ull << 53);
}

unsigned admission_retry_after_s(struct admission *admission)
{
	return 1 + (unsigned)(admission_draw(admission) % 3);
}
