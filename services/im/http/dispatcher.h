#ifndef SKEIN_IM_HTTP_DISPATCHER_H
#define SKEIN_IM_HTTP_DISPATCHER_H

#include "im/http/access.h"
#include "im/http/call_state.h"

/*
 * Serves the table of endpoints: every request of the HTTP server comes through here. In this order it
 *
 *   - refuses sends that the gate does not let in (503), before it looks at anything else of the request;
 *   - verifies the token and makes its user exist (401, 503), unless anyone may call;
 *   - checks the scope where an admin is needed (403);
 *   - takes one from the caller's bucket (429), where the row's rate class says so;
 *   - runs the handler;
 *
 * and counts and logs the answer. Handlers do none of this. Thread: the worker's.
 */

/* Whether a send that has just come is refused. NULL members: none is. */
struct dispatcher_gate {
	bool (*is_shut)(void *arg);
	unsigned (*retry_after_s)(void *arg);
	void *arg;
};

struct dispatcher {
	struct call_shared shared;
	struct dispatcher_gate gate;
	struct access access;
	struct http_route routes[ACCESS_ROUTES_MAX]; /* for the HTTP server: the rows, each with the dispatcher as its handler */
	size_t route_count;
};

/* At most ACCESS_ROUTES_MAX rows, which are static. `shared` and `gate` are copied. */
void dispatcher_init(struct dispatcher *dispatcher, const struct call_route *rows, size_t row_count,
                     const struct call_shared *shared, const struct dispatcher_gate *gate);

/* http_server_options.finished; `arg` is the dispatcher, as for the handlers. */
void dispatcher_finished(const struct http_request *request, int status, uint64_t duration_us, void *arg);

#endif
