#include "im/takeover/id_walk.h"

#include <assert.h>

#include "base/macros.h"

/* Spans of ids (base/msgid.h): those of 0.1 s at first, and at least those of 1 ms. */
#define SPAN_FIRST (100ull << 22)
#define SPAN_MIN (1ull << 22)
#define SPAN_MAX (1ull << 62)

void id_walk_start(struct id_walk *walk, uint64_t after, uint64_t last)
{
	*walk = (struct id_walk){ .after = after, .last = MAX(after, last), .span = SPAN_FIRST };
}

bool id_walk_is_over(const struct id_walk *walk)
{
	return walk->after >= walk->last;
}

uint64_t id_walk_upto(const struct id_walk *walk)
{
	return walk->last - walk->after > walk->span ? walk->after + walk->span : walk->last;
}

void id_walk_take_whole(struct id_walk *walk)
{
	walk->after = id_walk_upto(walk);
	walk->span = MIN(walk->span * 2, SPAN_MAX);
}

void id_walk_take_full(struct id_walk *walk, uint64_t highest)
{
	assert(highest > walk->after && highest <= walk->last);
	walk->after = highest;
	walk->span = MAX(walk->span / 2, SPAN_MIN);
}
