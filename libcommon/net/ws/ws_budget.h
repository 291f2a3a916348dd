#ifndef SKEIN_NET_WS_WS_BUDGET_H
#define SKEIN_NET_WS_WS_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * Limits for all clients of a process that are not authenticated yet: connections, and bytes kept for them. Shared by the
 * servers of all workers; it outlives them. Thread: any.
 */

struct counter;

struct ws_budget {
	unsigned max_handshakes;
	size_t max_bytes;
	struct counter *refused; /* handshakes that did not fit in; NULL: not counted */

	atomic_uint handshakes;
	atomic_size_t bytes;
};

/* One more handshake. False, and counted: there are as many as may be. Each success needs a ws_budget_leave(). */
bool ws_budget_enter(struct ws_budget *budget);
void ws_budget_leave(struct ws_budget *budget);

/* `len` more bytes. False, and counted: they do not fit in. Each success needs a ws_budget_give() of the same length. */
bool ws_budget_take(struct ws_budget *budget, size_t len);
void ws_budget_give(struct ws_budget *budget, size_t len);

#endif
