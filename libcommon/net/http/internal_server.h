#ifndef SKEIN_NET_HTTP_INTERNAL_SERVER_H
#define SKEIN_NET_HTTP_INTERNAL_SERVER_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "loop/worker.h"

/*
 * The internal port of every service: /healthz (the loop turns), /readyz (what
 * the service depends on really answers) and /metrics.
 *
 * A dependency is a check that is run every READINESS_INTERVAL_MS; one that
 * does not end within READINESS_TIMEOUT_MS counts as failed. /readyz answers
 * from the last round: 200 {"ready":true,"checks":{"postgres":"ok"}}, or 503
 * with "ready":false, where a check that failed shows its error's name and one
 * that never ended "pending". A service that drains is not ready. What changes
 * is logged. Thread: the worker's.
 */

#define READINESS_INTERVAL_MS 500
#define READINESS_TIMEOUT_MS 1000

/* A check with so many runs that timed out and never ended is not started again until one does. */
#define READINESS_MAX_LOST 8

struct internal_server;
struct readiness_run;

struct readiness_check {
	const char *name; /* "postgres"; lives as long as the server */
	/* Starts a check; ends in readiness_done(run, ...), now or later, once. */
	void (*start)(struct readiness_run *run, void *arg);
	void *arg;
};

/* ERR_IO with a logged sentence if it cannot listen. The checks are copied. */
err_t internal_server_new(struct internal_server **out, struct worker *worker, const char *listen,
                          const struct readiness_check *checks, size_t check_count) MUST_CHECK;

/* The port it listens on: what the kernel chose for port 0. */
uint16_t internal_server_port(const struct internal_server *server);

/* `run` must not be used after it. Fine for a run that has timed out meanwhile, or whose server is closed. */
void readiness_done(struct readiness_run *run, err_t err);

/* /readyz says no from now on, and no check is started any more: what they ask may go. */
void internal_server_drain(struct internal_server *server);

/* `closed` on a later turn. */
void internal_server_close(struct internal_server *server, void (*closed)(void *arg), void *arg);

#endif
