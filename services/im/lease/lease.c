#include "im/lease/lease.h"

static enum lease_step lease_retry(const struct lease *lease, enum lease_step step, uint64_t now_ms)
{
	return lease->asked_ms && now_ms < lease->asked_ms + LEASE_RETRY_MS ? LEASE_WAIT : step;
}

enum lease_step lease_next(const struct lease *lease, uint64_t watermark, uint64_t now_ms)
{
	if (lease->is_asking)
		return LEASE_WAIT;
	if (!lease->has_number)
		return lease_retry(lease, LEASE_TAKE, now_ms);
	if (lease->must_raise)
		return lease->asked_ms > lease->must_raise_ms && now_ms < lease->asked_ms + LEASE_STORE_WATERMARK_MS ? LEASE_WAIT :
		                                                                                                       LEASE_RAISE;
	if (now_ms >= lease->renewed_ms + lease->life_ms * 3ull / 10)
		return lease_retry(lease, LEASE_RENEW, now_ms);
	if (watermark != lease->stored_watermark && now_ms >= lease->asked_ms + LEASE_STORE_WATERMARK_MS)
		return LEASE_RENEW;
	return LEASE_WAIT;
}

void lease_asked(struct lease *lease, uint64_t now_ms)
{
	lease->is_asking = true;
	lease->asked_ms = now_ms;
}

void lease_renewed(struct lease *lease, uint64_t watermark)
{
	lease->is_asking = false;
	if (!lease->has_number) /* lost meanwhile */
		return;
	lease->renewed_ms = lease->asked_ms;
	lease->valid_until_ms = lease->asked_ms + lease->life_ms;
	lease->stored_watermark = watermark;
}

void lease_raised(struct lease *lease, int64_t epoch, uint64_t watermark)
{
	lease->must_raise &= epoch == lease->epoch;
	lease->epoch = epoch;
	lease_renewed(lease, watermark);
}

void lease_taken(struct lease *lease, int node, int64_t epoch, uint64_t watermark)
{
	lease->has_number = true;
	lease->node = node;
	lease->epoch = epoch;
	lease_renewed(lease, watermark);
}

void lease_unanswered(struct lease *lease)
{
	lease->is_asking = false;
}

void lease_lost(struct lease *lease)
{
	lease->has_number = false;
	lease->must_raise = false;
	lease->valid_until_ms = 0;
}

void lease_doubt(struct lease *lease)
{
	lease->valid_until_ms = 0;
	lease->renewed_ms = 0;
}

void lease_fence(struct lease *lease, int64_t epoch, uint64_t now_ms)
{
	if (!lease->has_number || lease->must_raise || epoch != lease->epoch)
		return;
	lease->must_raise = true;
	lease->must_raise_ms = now_ms;
}

bool lease_is_held(const struct lease *lease, uint64_t now_ms)
{
	return lease->has_number && now_ms < lease->valid_until_ms;
}
