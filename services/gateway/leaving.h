#ifndef SKEIN_GATEWAY_LEAVING_H
#define SKEIN_GATEWAY_LEAVING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/timer_wheel.h"

/*
 * The way out, step by step, each begun when the one before has ended or has
 * had its time:
 *
 *   MOVING    not ready any more, no new connections; clients are told when to
 *             reconnect elsewhere
 *   CLOSING   who is left is closed with 1001
 *   UNBINDING router takes the last routes out, and then the node
 *   ENDING    servers and channels, then the workers' threads, then the main loop
 *
 * Thread: the main worker's.
 */

struct app;

enum leaving_step { LEAVING_NOT, LEAVING_MOVING, LEAVING_CLOSING, LEAVING_UNBINDING, LEAVING_ENDING };

struct leaving {
	struct app *app;
	struct timer timer; /* looks whether the step has ended */
	uint64_t deadline_ms; /* of the step */
	enum leaving_step step;
	unsigned servers_left;
};

/* SIGTERM: clients get drain.timeout to move. */
void leaving_begin(struct app *app);

/* The node may not go on: clients are closed at once, and the process ends with 1. */
void leaving_at_once(struct app *app);

#endif
