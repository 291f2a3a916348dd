#ifndef SKEIN_GATEWAY_IM_IM_CALL_H
#define SKEIN_GATEWAY_IM_IM_CALL_H

#include "base/text/buf.h"
#include "base/error.h"
#include "base/list.h"
#include "base/text/str.h"
#include "base/timer_wheel.h"

/*
 * A call of im for a connection, answered on the thread of its worker. The
 * connection may be gone by then: the call knows it by its id. Embed it as the
 * first member in what the answer needs; that is freed after `done`.
 *
 * An im that goes away, or cannot serve, costs its clients no error: who may be
 * asked again is asked again, most likely another one, after a short pause and
 * while there is time. Each worker has a budget for that, which answers fill:
 * where nothing is served, asking again must not multiply the load.
 */

struct session;
struct ws_worker;

#define IM_CALL_TIMEOUT_MS 5000 /* with everything that is asked again */
#define IM_CALL_RETRIES 4

/* Calls that a worker may repeat; a good answer gives a tenth of one back. */
#define IM_CALL_BUDGET 1000

struct im_call {
	struct ws_worker *home;
	uint64_t conn;
	uint64_t timeout_ms; /* 0: IM_CALL_TIMEOUT_MS */
	unsigned retries; /* how often it may be asked again: only what does no harm twice */
	/* `session` is NULL when the connection is gone. */
	void (*done)(struct im_call *call, struct session *session, err_t err, struct str response, const char *detail);
	/* private */
	const char *path;
	struct buf request; /* while it may be asked again */
	uint64_t deadline_ms;
	unsigned tries;
	struct timer pause;
	struct list pausing; /* of the worker */
};

/* `call` is of the heap, `path` a literal. Thread: the session's worker. */
void im_call_start(struct im_call *call, struct session *session, const char *path, struct str request,
                   void (*done)(struct im_call *call, struct session *session, err_t err, struct str response,
                                const char *detail));

/* Ends the calls that pause; no connection is left. Thread: the worker's. */
void im_calls_drop(struct ws_worker *home);

#endif
