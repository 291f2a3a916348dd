#ifndef SKEIN_NET_HTTP_INTERNAL_SERVER_H
#define SKEIN_NET_HTTP_INTERNAL_SERVER_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "loop/worker.h"

/*
 * The internal port of every service: /healthz (this loop runs), /readyz (the dependencies answer) and /metrics.
 *
 * Each dependency has a check, which is started every READINESS_INTERVAL_MS while somebody asks, or while one of them fails.
 * When nobody has asked for READINESS_WATCHED_MS, checks cost more than they tell: then they are started every
 * READINESS_REST_MS, for the log, and the next question waits for a round of its own. A check that does not end within
 * READINESS_TIMEOUT_MS counts as failed. /readyz answers from results of the last second: 200 {"ready":true,"checks":
 * {"postgres":"ok"}}, or 503 with "ready":false, where a failed check shows the name of its error and a check that has not
 * ended yet shows "pending". A draining service is not ready. Each change of a result is logged. Thread: the worker's.
 */

#define READINESS_INTERVAL_MS 500
#define READINESS_WATCHED_MS 3000
#define READINESS_REST_MS 10000
#define READINESS_TIMEOUT_MS 1000

/* A check is not started again while more runs of it than that have timed out and not ended. */
#define READINESS_MAX_LOST 8

struct internal_server;
struct readiness_run;

struct readiness_check {
	const char *name; /* "postgres"; lives as long as the server */
	/* Starts the check. It ends with one call of readiness_done(run, ...), inside this function or later. */
	void (*start)(struct readiness_run *run, void *arg);
	void *arg;
};

/* ERR_IO with a logged sentence if it cannot listen. The checks are copied. */
err_t internal_server_new(struct internal_server **out, struct worker *worker, const char *listen,
                          const struct readiness_check *checks, size_t check_count) MUST_CHECK;

/* The port it listens on; for port 0 the one that the kernel picked. */
uint16_t internal_server_port(const struct internal_server *server);

/* `run` must not be used after it. Also right for a run that has timed out, or whose server is closed. */
void readiness_done(struct readiness_run *run, err_t err);

/* /readyz answers 503 from now on, and no check is started any more: the dependencies may be closed. */
void internal_server_drain(struct internal_server *server);

/* `closed` is called on a later turn. */
void internal_server_close(struct internal_server *server, void (*closed)(void *arg), void *arg);

#endif
