#include "base/timer_wheel.h"

#include <assert.h>

#include "base/macros.h"

/*
 * Level 0 has a slot for each of the next 64 ticks, level 1 for each of the
 * next 64 times 64 ticks, and so on. When the wheel enters a slot of a higher
 * level, its timers move down ("cascade"), each at most once a level. A timer
 * beyond the highest level waits in its furthest slot and is placed again each
 * time the level has turned. A timer that is due already waits in a list of its
 * own: in a slot it would fire a whole turn late.
 *
 * Invariant: a timer in slot s of level n expires within the s-th span of that
 * level, and the wheel enters that span before the timer expires.
 */

#define SLOT_BITS 6
#define SLOT_MASK (WHEEL_SLOTS - 1)
#define RANGE (1ull << (SLOT_BITS * WHEEL_LEVELS))

static_assert(WHEEL_SLOTS == 1 << SLOT_BITS, "a level's slot is a group of bits of the tick");

void timer_wheel_init(struct timer_wheel *wheel, uint64_t tick_ms, uint64_t now_ms)
{
	assert(tick_ms > 0);
	wheel->tick_ms = tick_ms;
	wheel->now = now_ms / tick_ms;
	wheel->armed = 0;
	list_init(&wheel->due);
	for (int level = 0; level < WHEEL_LEVELS; level++)
		for (int slot = 0; slot < WHEEL_SLOTS; slot++)
			list_init(&wheel->slots[level][slot]);
}

void timer_init(struct timer *timer, void (*fire)(struct timer *timer))
{
	list_init(&timer->link);
	timer->deadline_ms = 0;
	timer->fire = fire;
}

bool timer_is_armed(const struct timer *timer)
{
	return timer->link.next != &timer->link;
}

/* The first tick that is not before the deadline: a timer never fires early. */
static uint64_t wheel_expiry_of(const struct timer_wheel *wheel, const struct timer *timer)
{
	return timer->deadline_ms / wheel->tick_ms + (timer->deadline_ms % wheel->tick_ms != 0);
}

static struct list *wheel_slot_at(struct timer_wheel *wheel, int level, uint64_t tick)
{
	return &wheel->slots[level][tick >> (SLOT_BITS * level) & SLOT_MASK];
}

/* The expiry is not before the wheel's now. */
static struct list *wheel_slot_for(struct timer_wheel *wheel, uint64_t expiry)
{
	uint64_t away = expiry - wheel->now;
	int level = 0;

	if (away >= RANGE)
		return wheel_slot_at(wheel, WHEEL_LEVELS - 1, wheel->now + RANGE - 1);
	while (away >> (SLOT_BITS * (level + 1)))
		level++;
	return wheel_slot_at(wheel, level, expiry);
}

void timer_arm(struct timer_wheel *wheel, struct timer *timer, uint64_t deadline_ms)
{
	timer_cancel(wheel, timer);
	timer->deadline_ms = deadline_ms;
	uint64_t expiry = wheel_expiry_of(wheel, timer);
	list_push_back(expiry <= wheel->now ? &wheel->due : wheel_slot_for(wheel, expiry), &timer->link);
	wheel->armed++;
}

void timer_cancel(struct timer_wheel *wheel, struct timer *timer)
{
	if (!timer_is_armed(timer))
		return;
	list_remove(&timer->link);
	wheel->armed--;
}

static void wheel_fire_all(struct timer_wheel *wheel, struct list *expired)
{
	struct list firing;
	struct list *link;

	/* Moved to a list first: a timer that arms itself again must not fire again in this call. */
	list_init(&firing);
	list_splice_back(&firing, expired);
	while ((link = list_pop_front(&firing))) {
		struct timer *timer = container_of(link, struct timer, link);
		wheel->armed--;
		timer->fire(timer);
	}
}

/* A level moves when all lower levels have turned. The highest moves first, so that one pass takes a timer all the way down. */
static void wheel_cascade(struct timer_wheel *wheel)
{
	struct list moving;
	struct list *link;
	int highest = 0;

	while (highest < WHEEL_LEVELS - 1 && (wheel->now >> (SLOT_BITS * highest) & SLOT_MASK) == 0)
		highest++;
	list_init(&moving);
	for (int level = highest; level > 0; level--) {
		list_splice_back(&moving, wheel_slot_at(wheel, level, wheel->now));
		while ((link = list_pop_front(&moving))) {
			struct timer *timer = container_of(link, struct timer, link);
			list_push_back(wheel_slot_for(wheel, wheel_expiry_of(wheel, timer)), link);
		}
	}
}

void timer_wheel_advance(struct timer_wheel *wheel, uint64_t now_ms)
{
	uint64_t target = now_ms / wheel->tick_ms;

	wheel_fire_all(wheel, &wheel->due);
	while (wheel->now < target) {
		if (wheel->armed == 0) {
			wheel->now = target;
			return;
		}
		wheel->now++;
		wheel_cascade(wheel);
		wheel_fire_all(wheel, wheel_slot_at(wheel, 0, wheel->now));
	}
}

/* The tick at which the wheel enters the next slot of the level that has timers; UINT64_MAX: none has. */
static uint64_t wheel_next_of_level(const struct timer_wheel *wheel, int level)
{
	uint64_t span = wheel->now >> (SLOT_BITS * level);

	/* The last one is the slot in which the wheel is now, one turn later: a timer beyond the wheel may wait there. */
	for (uint64_t ahead = 1; ahead <= WHEEL_SLOTS; ahead++)
		if (!list_is_empty(&wheel->slots[level][(span + ahead) & SLOT_MASK]))
			return (span + ahead) << (SLOT_BITS * level);
	return UINT64_MAX;
}

uint64_t timer_wheel_next_ms(const struct timer_wheel *wheel)
{
	uint64_t next = UINT64_MAX;

	if (wheel->armed == 0)
		return UINT64_MAX;
	if (!list_is_empty(&wheel->due))
		return (wheel->now + 1) * wheel->tick_ms;
	for (int level = 0; level < WHEEL_LEVELS; level++) {
		uint64_t tick = wheel_next_of_level(wheel, level);
		next = MIN(next, tick);
	}
	return next == UINT64_MAX ? UINT64_MAX : next * wheel->tick_ms;
}
