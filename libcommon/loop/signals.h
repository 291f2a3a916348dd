#ifndef SKEIN_LOOP_SIGNALS_H
#define SKEIN_LOOP_SIGNALS_H

#include <stdbool.h>
#include <uv.h>

#include "base/error.h"
#include "loop/worker.h"

/*
 * The signals of a service, as calls on its main worker. The first SIGTERM or
 * SIGINT calls `on_terminate`; a second one ends the process with status 1.
 * SIGHUP calls `on_reload`. service/service.c is the only user in the services.
 * Thread: the worker's.
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

/* The memory may be freed after the loop has turned once. */
void signals_close(struct signals *signals);

#endif
