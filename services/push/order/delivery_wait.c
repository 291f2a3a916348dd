#include "push/order/delivery_wait.h"

#include "base/macros.h"

#define NEWEST_WEIGHT 0.2 /* of the last interval, in the pace */
#define WAIT_MAX_MS 3600000.0 /* 1 h, so that the value fits its type */

/* Messages in flight are assumed to take at most RUSH_MAX times the shortest time of the interval, and BURST_MS more. */
#define RUSH_MAX 3.0
#define BURST_MS 50.0

void delivery_wait_ended(struct delivery_wait *wait, uint64_t took_us)
{
	wait->shortest_us = wait->ended ? MIN(wait->shortest_us, took_us) : took_us;
	wait->ended++;
}

bool delivery_wait_end_interval(struct delivery_wait *wait, size_t in_flight, size_t untaken, unsigned *wait_ms)
{
	double ended = (double)wait->ended;

	if (wait->ended == 0)
		return false;
	wait->pace += (ended - wait->pace) * (wait->pace > 0 ? NEWEST_WEIGHT : 1);
	wait->ended = 0;
	double each_ms = DELIVERY_WAIT_INTERVAL_MS / wait->pace;
	double in_flight_ms = MIN((double)in_flight * each_ms, RUSH_MAX * (double)wait->shortest_us / 1000 + BURST_MS);
	double behind_ms = in_flight_ms + (double)untaken * each_ms;
	*wait_ms = in_flight + untaken < DELIVERY_QUEUE_MIN ? 0 : (unsigned)MIN(behind_ms, WAIT_MAX_MS);
	return true;
}
