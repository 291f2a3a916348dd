#ifndef SKEIN_IM_LEASE_WATERMARK_H
#define SKEIN_IM_LEASE_WATERMARK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Tracks which of the ids that this process has drawn are settled: the entry is in
 * Kafka, or was never stored. All ids up to watermark_value() are settled, so a takeover
 * after a crash looks only above it.
 *
 * Ids are opened in rising order and closed in any order. A ring holds the ids from
 * the oldest open one on; all is O(1). Its length is bounded by the limits of the entry
 * writer and the publisher.
 */
struct watermark {
	struct watermark_entry *ring;
	size_t capacity; /* a power of two, or 0 */
	uint64_t first, next; /* places: the oldest that is open, the next to be given out */
	uint64_t settled; /* the highest id below which nothing is open */
	uint32_t term; /* grows with each lease; places of an older term are ignored */
};

/* The place of an id. {0} is no place; closing it does nothing. */
struct watermark_place {
	uint64_t place;
	uint32_t term;
};

void watermark_init(struct watermark *watermark);

/* Places that are still open may be closed afterwards; that does nothing. */
void watermark_release(struct watermark *watermark);

/* A new lease begins. The ids that are open belong to the old one; its caretaker settles them. */
void watermark_restart(struct watermark *watermark, uint64_t settled);

/* `id` is higher than all ids that were opened before. */
struct watermark_place watermark_open(struct watermark *watermark, uint64_t id);
void watermark_close(struct watermark *watermark, struct watermark_place place);

/* Whether the place was opened in this lease, not in an older one. */
bool watermark_is_current(const struct watermark *watermark, struct watermark_place place);

uint64_t watermark_value(const struct watermark *watermark);
bool watermark_is_settled(const struct watermark *watermark); /* nothing is open */

#endif
