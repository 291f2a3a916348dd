#ifndef SKEIN_GATEWAY_DRAIN_DRAIN_H
#define SKEIN_GATEWAY_DRAIN_DRAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/timer_wheel.h"
#include "gateway/router/move_targets.h"

/*
 * The way out, step by step, each begun when the one before has ended or has
 * had its time:
 *
 *   ASKING    not ready any more, no new connections; router is asked where
 *             clients may go
 *   MOVING    clients are told when to reconnect, and where
 *   ANSWERING who is left is closed with 1001, unless im owes it the answer to
 *             a send: then when that has come
 *   CLOSING   everybody is
 *   UNBINDING router takes the last routes out, and then the node
 *   ENDING    servers and channels, then the workers' threads, then the main loop
 *
 * Thread: the main worker's.
 */

struct app;

enum leaving_step {
	LEAVING_NOT,
	LEAVING_ASKING,
	LEAVING_MOVING,
	LEAVING_ANSWERING,
	LEAVING_CLOSING,
	LEAVING_UNBINDING,
	LEAVING_ENDING,
};

struct leaving {
	struct app *app;
	struct timer timer; /* looks whether the step has ended */
	uint64_t deadline_ms; /* of the step */
	enum leaving_step step;
	struct elsewhere elsewhere; /* does not change after ASKING */
	unsigned servers_left;
};

/* SIGTERM: clients get drain.timeout to move. */
void leaving_begin(struct app *app);

/* The node may not go on: clients are closed at once, and the process ends with 1. */
void leaving_at_once(struct app *app);

#endif
