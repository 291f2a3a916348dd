#include "im/lease/watermark.h"

#include <assert.h>

#include "base/mem.h"
#include "base/ring.h"

#define FIRST_CAPACITY 1024

struct watermark_entry {
	uint64_t id;
	bool is_closed;
};

void watermark_init(struct watermark *watermark)
{
	*watermark = (struct watermark){ .term = 1 };
}

void watermark_restart(struct watermark *watermark, uint64_t settled)
{
	watermark->term++;
	watermark->first = watermark->next = 0;
	watermark->settled = settled;
}

void watermark_release(struct watermark *watermark)
{
	mem_free(watermark->ring);
	watermark->ring = NULL;
	watermark->capacity = 0;
	watermark_restart(watermark, 0);
}

static struct watermark_entry *watermark_entry_at(const struct watermark *watermark, uint64_t place)
{
	return &watermark->ring[place & (watermark->capacity - 1)];
}

struct watermark_place watermark_open(struct watermark *watermark, uint64_t id)
{
	if (watermark->next - watermark->first == watermark->capacity) {
		size_t capacity = watermark->capacity ? watermark->capacity * 2 : FIRST_CAPACITY;
		struct watermark_entry *ring = mem_alloc(capacity * sizeof(*ring));
		ring_copy_doubled(ring, watermark->ring, sizeof(*ring), watermark->capacity, watermark->first);
		mem_free(watermark->ring);
		watermark->ring = ring;
		watermark->capacity = capacity;
	}
	uint64_t place = watermark->next++;
	*watermark_entry_at(watermark, place) = (struct watermark_entry){ .id = id };
	return (struct watermark_place){ .place = place, .term = watermark->term };
}

bool watermark_is_current(const struct watermark *watermark, struct watermark_place place)
{
	return place.term == watermark->term;
}

void watermark_close(struct watermark *watermark, struct watermark_place place)
{
	if (!watermark_is_current(watermark, place))
		return;
	assert(place.place >= watermark->first && place.place < watermark->next);
	watermark_entry_at(watermark, place.place)->is_closed = true;
	while (watermark->first < watermark->next && watermark_entry_at(watermark, watermark->first)->is_closed)
		watermark->settled = watermark_entry_at(watermark, watermark->first++)->id;
}

uint64_t watermark_value(const struct watermark *watermark)
{
	return watermark->settled;
}

bool watermark_is_settled(const struct watermark *watermark)
{
	return watermark->first == watermark->next;
}
