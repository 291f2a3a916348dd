#ifndef SKEIN_IM_TAKEOVER_ID_WALK_H
#define SKEIN_IM_TAKEOVER_ID_WALK_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Walks through a range of message ids, page by page. The cost of a page is the
 * number of ids in its range, not the number that it finds: the BRIN index reads
 * the messages of all nodes in that time and keeps one node's. So each page covers
 * a limited span. The span doubles after each page that was whole, and is halved
 * after a page that was full. A gap of days takes a few steps, and a dense second is
 * not read over and over. No I/O.
 */
struct id_walk {
	uint64_t after; /* ids up to this one were visited */
	uint64_t last; /* the end of the range */
	uint64_t span;
};

/* Starts a walk through the ids above `after`, up to `last`. */
void id_walk_start(struct id_walk *walk, uint64_t after, uint64_t last);

bool id_walk_is_over(const struct id_walk *walk);

/* The next page is of ids above walk->after and up to this one. */
uint64_t id_walk_upto(const struct id_walk *walk);

/* The page was whole, or it was full and ended with `highest`. */
void id_walk_take_whole(struct id_walk *walk);
void id_walk_take_full(struct id_walk *walk, uint64_t highest);

#endif
