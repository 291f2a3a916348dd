#include "push/intake/offset_tracker.h"

#include "base/mem.h"
#include "base/ring.h"

struct tracked_offset {
	int64_t offset;
	bool is_done;
};

#define FIRST_CAP 64

void offset_tracker_init(struct offset_tracker *tracker, int64_t next)
{
	*tracker = (struct offset_tracker){ .next = next };
}

void offset_tracker_release(struct offset_tracker *tracker)
{
	mem_free(tracker->ring);
	*tracker = (struct offset_tracker){ 0 };
}

static struct tracked_offset *offset_tracker_entry(const struct offset_tracker *tracker, size_t index)
{
	return &tracker->ring[(tracker->first + index) & (tracker->cap - 1)];
}

void offset_tracker_begin(struct offset_tracker *tracker, int64_t offset)
{
	if (tracker->len == tracker->cap) {
		size_t cap = tracker->cap ? tracker->cap * 2 : FIRST_CAP;
		struct tracked_offset *ring = mem_alloc(cap * sizeof(*ring));

		ring_copy_doubled(ring, tracker->ring, sizeof(*ring), tracker->cap, tracker->first);
		mem_free(tracker->ring);
		tracker->ring = ring;
		tracker->cap = cap;
	}
	*offset_tracker_entry(tracker, tracker->len) = (struct tracked_offset){ .offset = offset };
	tracker->len++;
}

static struct tracked_offset *offset_tracker_find(const struct offset_tracker *tracker, int64_t offset)
{
	size_t low = 0, high = tracker->len;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		struct tracked_offset *found = offset_tracker_entry(tracker, middle);

		if (found->offset == offset)
			return found;
		if (found->offset < offset)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

bool offset_tracker_finish(struct offset_tracker *tracker, int64_t offset)
{
	struct tracked_offset *done = offset_tracker_find(tracker, offset);
	int64_t before = tracker->next;

	if (!done)
		return false;
	done->is_done = true;
	while (tracker->len && offset_tracker_entry(tracker, 0)->is_done) {
		tracker->next = offset_tracker_entry(tracker, 0)->offset + 1;
		tracker->first = (tracker->first + 1) & (tracker->cap - 1);
		tracker->len--;
	}
	return tracker->next != before;
}
