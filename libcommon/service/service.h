#ifndef SKEIN_SERVICE_SERVICE_H
#define SKEIN_SERVICE_SERVICE_H

#include "base/config/config.h"
#include "base/error.h"
#include "loop/signals.h"
#include "loop/worker.h"
#include "net/http/internal_server.h"

/*
 * The frame of a service's main(): it loads the configuration, configures the
 * log, makes the main worker (on the main thread), the signals and the internal
 * server, runs, and leaves in order. A service's own work is in its callbacks.
 *
 *   static struct app app;
 *
 *   static const struct service_definition definition = {
 *           .config_table = &router_config_table, .config = &app.config, .common = &app.config.common,
 *           .start = start, .drain = drain, .app = &app, ...
 *   };
 *
 *   int main(int argc, char **argv)
 *   {
 *           return service_main(&app.service, &definition, argc, argv);
 *   }
 *
 * The states of a process:
 *
 *   configured -> start() -> running -> SIGTERM: /readyz says no, drain() -> service_leave() -> release() -> exit
 *
 * A second SIGTERM or SIGINT ends the process at once with status 1. Thread of
 * all callbacks and functions: the main one. They get `app`.
 */
struct service_definition {
	const struct config_table *config_table;
	void *config; /* the table's offsets refer to it */
	const struct config_common *common; /* inside `config` */
	void *app;

	/* For /readyz. */
	const struct readiness_check *checks;
	size_t check_count;

	/* --migrate, if the table knows it: the process does this and exits. May be NULL otherwise. */
	err_t (*migrate)(void *app);

	/* Work that may block, before signals are handled: SIGTERM still ends the process. May be NULL. */
	err_t (*prepare)(void *app);

	/* Makes all parts of the service. The loop does not run yet. After an error the process exits; nothing is released. */
	err_t (*start)(void *app);

	/* Starts to close all parts, on the first SIGTERM or SIGINT. When they are closed, service_leave() must be called. */
	void (*drain)(void *app);

	/* SIGHUP has changed reloadable options, in `config`. May be NULL. */
	void (*reloaded)(void *app);

	/* The loop has ended; frees the parts that were not freed before. May be NULL. */
	void (*release)(void *app);
};

/* Embed it, zeroed, in the service's `struct app`. */
struct service {
	struct worker worker; /* the main worker, from start() on */
	int exit_status; /* of the process, after the loop has ended */

	/* private */
	const struct service_definition *definition;
	struct signals signals;
	struct internal_server *internal;
};

/*
 * Returns the status for exit: 0; 1 when the service could not start or has failed; 2 for an invalid configuration, with
 * the reason on stderr.
 */
int service_main(struct service *service, const struct service_definition *definition, int argc, char **argv);

/*
 * The service cannot do its work: the exit status becomes 1 and /readyz says no. The caller then closes its parts as drain()
 * does and calls service_leave(); drain() may still be called meanwhile, by a signal.
 */
void service_fail(struct service *service);

/* All handles of the service's parts are closed: closes the frame's own, then the loop ends. Call it once. */
void service_leave(struct service *service);

#endif
