#ifndef SKEIN_PUSH_INBOXES_APPEND_WINDOW_H
#define SKEIN_PUSH_INBOXES_APPEND_WINDOW_H

#include <stdbool.h>
#include <stddef.h>

#include "base/list.h"

/*
 * The appends to inboxes that are under way, over all conversations. Redis answers
 * some 100,000 a second, so APPEND_WINDOW_MAX commands wait for about 0.1 s: far less
 * than redis.timeout, however many conversations are busy. A writer that finds the
 * window full gets a turn for each append that ends, one after the other, so a large
 * group does not hold up a conversation of two.
 *
 * Pure: no I/O. Thread: the worker's.
 */

#define APPEND_WINDOW_MAX 10000u

/* Embed it in a writer. */
struct append_turn {
	struct list link;
	void (*go)(struct append_turn *turn); /* there is room: try to take it */
};

struct append_window {
	size_t max, under_way;
	struct list waiting; /* turns, the first to come first */
};

void append_window_init(struct append_window *window, size_t max);
void append_turn_init(struct append_turn *turn, void (*go)(struct append_turn *turn));

/* Takes room for one append. False: there is none, and `go` comes when there may be. */
bool append_window_take(struct append_window *window, struct append_turn *turn) MUST_CHECK;

/* An append has ended. The first waiting turn's `go` may come from inside this call. */
void append_window_give_back(struct append_window *window);

/* The writer does not want room any more. */
void append_turn_leave(struct append_turn *turn);

#endif
