#ifndef SKEIN_LOOP_SIGNALS_H
#define SKEIN_LOOP_SIGNALS_H

#include <stdbool.h>
#include <uv.h>

#include "base/error.h"
#include "loop/worker.h"

/*
 * The signals that a service answers, as calls on its main worker: SIGTERM and
 * SIGINT ask it to drain and leave, once (a second one ends the process at
 * once); SIGHUP to read its configuration again. Thread: the worker's.
 */
struct signals {
	uv_signal_t terminate, interrupt, reload;
	void (*on_terminate)(void *arg);
	void (*on_reload)(void *arg);
	void *arg;
	bool is_terminating;
};

/* `on_reload` may be NULL: SIGHUP is then ignored. */
err_t signals_init(struct signals *signals, struct worker *worker, void (*on_terminate)(void *arg),
                   void (*on_reload)(void *arg), void *arg) MUST_CHECK;

/* The memory may go once the loop has turned. */
void signals_close(struct signals *signals);

#endif
