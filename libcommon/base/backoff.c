#include "base/backoff.h"

#include <assert.h>

#include "base/random.h"

void backoff_init(struct backoff *backoff, uint64_t min_ms, uint64_t max_ms)
{
	assert(0 < min_ms && min_ms <= max_ms);
	*backoff = (struct backoff){ .min_ms = min_ms, .max_ms = max_ms };
}

uint64_t backoff_next_ms(struct backoff *backoff)
{
	uint64_t ceiling = backoff->min_ms;

	for (unsigned i = 0; i < backoff->tries; i++)
		ceiling = ceiling > backoff->max_ms / 2 ? backoff->max_ms : ceiling * 2;
	if (ceiling < backoff->max_ms)
		backoff->tries++;
	return ceiling - random_below(ceiling / 2 + 1);
}

void backoff_reset(struct backoff *backoff)
{
	backoff->tries = 0;
}
