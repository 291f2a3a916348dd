#ifndef SKEIN_GATEWAY_DRAIN_DRAIN_H
#define SKEIN_GATEWAY_DRAIN_DRAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/timer_wheel.h"
#include "gateway/router/move_targets.h"

/*
 * Empties the gateway before it ends, in steps. A step ends when its work is done
 * or its time is over:
 *
 *   ASKING    the gateway does not serve any more and takes no connections; router
 *             is asked where clients may go
 *   MOVING    clients are told when to reconnect, and where
 *   ANSWERING connections are closed with 1001; those for which im owes the answer
 *             to a send are closed when it has come
 *   CLOSING   all connections are closed
 *   UNBINDING router takes the last routes out, and then the node
 *   ENDED     app->take_down() was called
 *
 * Thread: the main worker's.
 */

struct app;

enum drain_step {
	DRAIN_NOT,
	DRAIN_ASKING,
	DRAIN_MOVING,
	DRAIN_ANSWERING,
	DRAIN_CLOSING,
	DRAIN_UNBINDING,
	DRAIN_ENDED,
};

struct drain {
	struct app *app;
	struct timer timer; /* checks whether the step has ended */
	uint64_t deadline_ms; /* of the step */
	enum drain_step step;
	struct move_targets targets; /* does not change after ASKING: the workers read it */
};

/* SIGTERM: clients get drain.timeout to move. */
void drain_begin(struct app *app);

/* The node may not go on: clients are closed at once, and the process ends with 1. */
void drain_at_once(struct app *app);

#endif
