#include "gateway/queues/ack_window.h"

#include <string.h>

#include "base/macros.h"
#include "base/mem.h"
#include "base/ring.h"

/* The sizes of acked + 1, acked + 2 ... */
struct ack_ring {
	uint32_t first, count, capacity; /* capacity is a power of two */
	uint32_t bytes;
	uint32_t sizes[];
};

#define ACK_WINDOW_FIRST_CAPACITY 4

/* A ring of twice the capacity in place of a full one; the first ring for NULL. */
static struct ack_ring *ack_window_ring_grow(struct ack_ring *old)
{
	uint32_t capacity = old ? 2 * old->capacity : ACK_WINDOW_FIRST_CAPACITY;
	struct ack_ring *ring = mem_alloc(sizeof(*ring) + capacity * sizeof(ring->sizes[0]));

	*ring = (struct ack_ring){ .capacity = capacity };
	if (old) {
		ring_copy_doubled(ring->sizes, old->sizes, sizeof(old->sizes[0]), old->capacity, old->first);
		ring->first = old->first;
		ring->count = old->count;
		ring->bytes = old->bytes;
	}
	mem_free(old);
	return ring;
}

static void ack_window_trust(struct ack_window *window, uint64_t now_ms)
{
	window->since_ms = now_ms;
	window->doubt = ACK_TRUSTED;
}

void ack_window_release(struct ack_window *window)
{
	mem_free(window->ring);
	window->ring = NULL;
}

void ack_window_restart(struct ack_window *window, uint64_t acked)
{
	ack_window_release(window);
	window->acked = acked;
	window->doubt = ACK_TRUSTED;
}

void ack_window_add(struct ack_window *window, uint64_t offset, uint32_t bytes, uint64_t now_ms)
{
	if (offset <= window->acked)
		return;
	if (offset != ack_window_last(window) + 1)
		ack_window_restart(window, offset - 1);
	if (!window->ring)
		ack_window_trust(window, now_ms);
	if (!window->ring || window->ring->count == window->ring->capacity)
		window->ring = ack_window_ring_grow(window->ring);
	struct ack_ring *ring = window->ring;
	ring->sizes[(ring->first + ring->count) & (ring->capacity - 1)] = bytes;
	ring->count++;
	ring->bytes += bytes;
	window->last_bytes = bytes;
}

bool ack_window_take(struct ack_window *window, uint64_t offset, uint64_t now_ms)
{
	bool is_progress = window->ring && offset > window->acked;

	for (; window->ring && window->acked < offset; window->acked++) {
		struct ack_ring *ring = window->ring;

		ring->bytes -= ring->sizes[ring->first];
		ring->first = (ring->first + 1) & (ring->capacity - 1);
		if (--ring->count == 0)
			ack_window_release(window);
	}
	window->acked = MAX(window->acked, offset);
	if (is_progress)
		ack_window_trust(window, now_ms);
	return is_progress;
}

uint32_t ack_window_messages(const struct ack_window *window)
{
	return window->ring ? window->ring->count : 0;
}

uint32_t ack_window_bytes(const struct ack_window *window)
{
	return window->ring ? window->ring->bytes : 0;
}

bool ack_window_is_full(const struct ack_window *window, const struct ack_limits *limits)
{
	return ack_window_messages(window) >= limits->max_messages || ack_window_bytes(window) >= limits->max_bytes;
}

bool ack_window_has_room(const struct ack_window *window, const struct ack_limits *limits)
{
	return ack_window_messages(window) <= limits->max_messages / 2 && ack_window_bytes(window) <= limits->max_bytes / 2;
}

uint32_t ack_window_room(const struct ack_window *window, const struct ack_limits *limits)
{
	uint32_t messages = limits->max_messages - MIN(ack_window_messages(window), limits->max_messages);
	uint32_t bytes = limits->max_bytes - MIN(ack_window_bytes(window), limits->max_bytes);

	return MAX(1, MIN(messages, bytes / MAX(1, window->last_bytes) + 1));
}

uint64_t ack_window_last(const struct ack_window *window)
{
	return window->acked + ack_window_messages(window);
}

void ack_window_ponged(struct ack_window *window)
{
	if (window->doubt == ACK_PINGED)
		window->doubt = ACK_PONGED;
}

static unsigned ack_window_timeouts_to_wait(const struct ack_window *window)
{
	switch (window->doubt) {
	case ACK_TRUSTED:
		return 1;
	case ACK_RESENT:
		return 3;
	default:
		return 2;
	}
}

uint64_t ack_window_deadline(const struct ack_window *window, const struct ack_limits *limits)
{
	return window->ring ? window->since_ms + ack_window_timeouts_to_wait(window) * limits->timeout_ms : 0;
}

enum ack_step ack_window_step(struct ack_window *window, const struct ack_limits *limits, uint64_t now_ms)
{
	if (!window->ring || now_ms < ack_window_deadline(window, limits))
		return ACK_NOTHING;
	/* A step that is late does not shorten the time until the next one. */
	window->since_ms = now_ms - ack_window_timeouts_to_wait(window) * limits->timeout_ms;
	switch (window->doubt) {
	case ACK_TRUSTED:
		window->doubt = ACK_PINGED;
		return ACK_PING;
	case ACK_PONGED:
		window->doubt = ACK_RESENT;
		return ACK_RESEND;
	default:
		return ACK_GIVE_UP;
	}
}

void ack_window_resent(struct ack_window *window, const struct ack_limits *limits, uint64_t now_ms)
{
	if (window->doubt == ACK_RESENT)
		window->since_ms = now_ms - MIN(now_ms, 2 * limits->timeout_ms);
}
