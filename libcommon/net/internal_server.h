#ifndef SKEIN_NET_INTERNAL_SERVER_H
#define SKEIN_NET_INTERNAL_SERVER_H

#include "base/error.h"
#include "loop/worker.h"

/*
 * The internal port of every service: /healthz (the loop turns), /readyz (what
 * the service depends on really answers) and /metrics.
 *
 * A dependency is a check that is run every READINESS_INTERVAL_MS; one that
 * does not end within READINESS_TIMEOUT_MS counts as failed. /readyz answers
 * from the last round: 200 {"ready":true,"checks":{"postgres":"ok"}} or 503 with
 * the failed ones. A service that drains is not ready. Thread: the worker's.
 */

#define READINESS_INTERVAL_MS 500
#define READINESS_TIMEOUT_MS 1000

struct internal_server;
struct readiness_run;

struct readiness_check {
	const char *name; /* "postgres" */
	/* Starts a check; ends in readiness_done(run, ...), now or later, at most once. */
	void (*start)(struct readiness_run *run, void *arg);
	void *arg;
};

/* ERR_IO with a logged sentence if it cannot listen. The checks are copied. */
err_t internal_server_new(struct internal_server **out, struct worker *worker, const char *listen,
                          const struct readiness_check *checks, size_t check_count) MUST_CHECK;

/* `run` must not be used after it. Fine for a run that has timed out meanwhile. */
void readiness_done(struct readiness_run *run, err_t err);

/* /readyz says no from now on. */
void internal_server_drain(struct internal_server *server);

void internal_server_close(struct internal_server *server, void (*closed)(void *arg), void *arg);

#endif
