#ifndef SKEIN_BASE_TIMER_WHEEL_H
#define SKEIN_BASE_TIMER_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

/*
 * A hashed hierarchical timer wheel: adding, moving and cancelling are O(1), a
 * timer costs its own 32 bytes. Deadlines are monotonic milliseconds; a timer
 * fires at the first advance at or after its deadline, at most one tick late.
 * Has no clock and no I/O of its own: whoever owns it calls advance (see
 * loop/timers.h). Thread: one.
 */
struct timer {
	struct list link; /* in a slot; points at itself while not armed */
	uint64_t deadline_ms;
	void (*fire)(struct timer *timer);
};

#define WHEEL_LEVELS 4
#define WHEEL_SLOTS 64

struct timer_wheel {
	struct list slots[WHEEL_LEVELS][WHEEL_SLOTS];
	struct list due; /* armed with a deadline that had passed */
	uint64_t tick_ms;
	uint64_t now; /* in ticks: everything up to here has fired */
	uint64_t armed;
};

void timer_wheel_init(struct timer_wheel *wheel, uint64_t tick_ms, uint64_t now_ms);

/* Before the first use of a timer; `fire` may re-arm or free it. */
void timer_init(struct timer *timer, void (*fire)(struct timer *timer));

/* Arms, or moves when it is armed. A deadline in the past fires at the next advance. */
void timer_arm(struct timer_wheel *wheel, struct timer *timer, uint64_t deadline_ms);

/* Fine on a timer that is not armed. */
void timer_cancel(struct timer_wheel *wheel, struct timer *timer);

bool timer_is_armed(const struct timer *timer);

/* Fires what is due, in the order of the deadlines up to a tick. */
void timer_wheel_advance(struct timer_wheel *wheel, uint64_t now_ms);

#endif
