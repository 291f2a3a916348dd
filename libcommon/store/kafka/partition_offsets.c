#include "store/kafka/partition_offsets.h"

#include "base/macros.h"

void partition_offsets_begin(struct partition_offsets *offsets, int64_t committed)
{
	*offsets = (struct partition_offsets){
		.taken = MAX(committed, 0), .stored = committed, .sent = committed, .committed = committed,
	};
}

enum offset_verdict partition_offsets_receive(struct partition_offsets *offsets, int64_t offset, uint64_t now_ms)
{
	if (offset >= offsets->taken) {
		offsets->taken = offset + 1;
		return OFFSET_NEXT;
	}
	if (now_ms >= offsets->sought_ms + OFFSETS_CALM_MS) {
		offsets->went_back_ms = offsets->sought_ms = now_ms;
		return OFFSET_WENT_BACK;
	}
	if (now_ms >= offsets->went_back_ms + OFFSETS_LOST_MS)
		return OFFSET_LOG_LOST;
	if (now_ms < offsets->sought_ms + OFFSETS_SEEK_AGAIN_MS)
		return OFFSET_DROP;
	offsets->sought_ms = now_ms;
	return OFFSET_SEEK;
}

void partition_offsets_store(struct partition_offsets *offsets, int64_t next)
{
	offsets->stored = MAX(offsets->stored, next);
}

int64_t partition_offsets_commit(struct partition_offsets *offsets)
{
	if (offsets->stored <= offsets->sent)
		return NO_OFFSET;
	offsets->sent = offsets->stored;
	return offsets->sent;
}

void partition_offsets_committed(struct partition_offsets *offsets, int64_t offset)
{
	offsets->committed = MAX(offsets->committed, offset);
}

void partition_offsets_not_committed(struct partition_offsets *offsets)
{
	offsets->sent = offsets->committed;
}

int64_t partition_offsets_lag(const struct partition_offsets *offsets, int64_t low, int64_t high)
{
	return MAX(0, high - MAX(low, offsets->committed));
}

int64_t partition_offsets_untaken(const struct partition_offsets *offsets, int64_t low, int64_t high)
{
	return MAX(0, high - MAX(low, MAX(offsets->taken, offsets->committed)));
}
