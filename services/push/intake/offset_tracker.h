#ifndef SKEIN_PUSH_INTAKE_OFFSET_TRACKER_H
#define SKEIN_PUSH_INTAKE_OFFSET_TRACKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Tracks which records of a Kafka partition are finished. Records are begun in the
 * order of their offsets and finished in any order. The end of the finished prefix
 * may be committed. Beginning is O(1); finishing is a binary search over the records
 * under way. Pure: no I/O.
 */
struct offset_tracker {
	struct tracked_offset *ring;
	size_t cap, first, len; /* cap is a power of two or 0 */
	int64_t next; /* everything below is finished */
};

void offset_tracker_init(struct offset_tracker *tracker, int64_t next);
void offset_tracker_release(struct offset_tracker *tracker);

/* Offsets grow from call to call. */
void offset_tracker_begin(struct offset_tracker *tracker, int64_t offset);

/* True if the finished prefix grew: tracker->next may be committed. An offset that is not under way is ignored. */
bool offset_tracker_finish(struct offset_tracker *tracker, int64_t offset);

#endif
