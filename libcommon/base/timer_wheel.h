#ifndef SKEIN_BASE_TIMER_WHEEL_H
#define SKEIN_BASE_TIMER_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

/*
 * A hashed hierarchical timer wheel. Arming, moving and cancelling are O(1); a
 * timer costs its own 32 bytes. Deadlines are monotonic milliseconds. A timer
 * fires at the first advance at or after its deadline, at most one tick late. The
 * wheel has no clock: its owner calls timer_wheel_advance() (loop/worker.c).
 * Thread: one.
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
	struct list due; /* timers whose deadline had passed when they were armed */
	uint64_t tick_ms;
	uint64_t now; /* in ticks: every timer up to here has fired */
	uint64_t armed;
};

void timer_wheel_init(struct timer_wheel *wheel, uint64_t tick_ms, uint64_t now_ms);

/* Call it before the first use of a timer. `fire` may arm the timer again or free it. */
void timer_init(struct timer *timer, void (*fire)(struct timer *timer));

/* Arms the timer, or moves it if it is armed. With a deadline in the past it fires at the next advance. */
void timer_arm(struct timer_wheel *wheel, struct timer *timer, uint64_t deadline_ms);

/* Does nothing for a timer that is not armed. */
void timer_cancel(struct timer_wheel *wheel, struct timer *timer);

bool timer_is_armed(const struct timer *timer);

/* Fires the due timers, in the order of their deadlines in ticks. */
void timer_wheel_advance(struct timer_wheel *wheel, uint64_t now_ms);

/*
 * The time of the next advance that has something to do: it fires a timer, or moves timers of a higher level down. Until then
 * none is needed. UINT64_MAX while no timer is armed. Looks at every slot, which takes a fraction of a microsecond.
 */
uint64_t timer_wheel_next_ms(const struct timer_wheel *wheel);

#endif
