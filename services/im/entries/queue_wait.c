#include "im/entries/queue_wait.h"

#include "base/macros.h"

#define NEWEST_WEIGHT 0.125 /* of the last round in the pace */

/* A round ends after half a full batch, or after this time. */
#define ROUND_MAX_US 100000

/*
 * The estimate is at most RUSH_MAX times the wait of the entries that leave, plus BURST_MS: when entries arrive at r times
 * the pace, the last one waits r times as long as the first.
 */
#define RUSH_MAX 3
#define BURST_MS 50

#define ROOM_MIN 4 /* batches; for slow ones the pace alone would leave less room */

void queue_wait_init(struct queue_wait *wait, unsigned batch_max)
{
	*wait = (struct queue_wait){ .batch_max = batch_max };
}

void queue_wait_cut(struct queue_wait *wait, unsigned waited_ms)
{
	wait->shortest_ms = wait->was_cut ? MIN(wait->shortest_ms, waited_ms) : waited_ms;
	wait->was_cut = true;
}

void queue_wait_done(struct queue_wait *wait, unsigned count, uint64_t took_us)
{
	wait->round_count += count;
	wait->round_us += MAX(took_us, 1);
	if (wait->round_count < wait->batch_max / 2 && wait->round_us < ROUND_MAX_US)
		return;
	double pace = (double)wait->round_count * 1000 / (double)wait->round_us;
	wait->pace += (pace - wait->pace) * (wait->pace > 0 ? NEWEST_WEIGHT : 1);
	wait->round_count = 0;
	wait->round_us = 0;
}

unsigned queue_wait_end_interval(struct queue_wait *wait, unsigned len, unsigned head_ms)
{
	unsigned to_come_ms = wait->pace > 0 ? (unsigned)MIN(len / wait->pace, 1e9) : 0;
	bool was_cut = wait->was_cut;

	wait->was_cut = false;
	if (len <= wait->batch_max)
		return 0;
	return was_cut ? MIN(to_come_ms, RUSH_MAX * wait->shortest_ms + BURST_MS) : head_ms;
}

unsigned queue_wait_room(const struct queue_wait *wait)
{
	if (wait->pace <= 0)
		return UINT32_MAX;
	return MAX(ROOM_MIN * wait->batch_max, (unsigned)MIN(wait->pace * QUEUE_WAIT_MAX_MS, 1e9));
}
