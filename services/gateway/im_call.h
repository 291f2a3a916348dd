#ifndef SKEIN_GATEWAY_IM_CALL_H
#define SKEIN_GATEWAY_IM_CALL_H

#include "base/error.h"
#include "base/str.h"

/*
 * A call of im for a connection, answered on the thread of its worker. The
 * connection may be gone by then: the call knows it by its id. Embed it as the
 * first member in what the answer needs; that is freed after `done`.
 */

struct session;
struct ws_worker;

#define IM_CALL_TIMEOUT_MS 5000

struct im_call {
	struct ws_worker *home;
	uint64_t conn;
	uint64_t timeout_ms; /* 0: IM_CALL_TIMEOUT_MS */
	/* `session` is NULL when the connection is gone. */
	void (*done)(struct im_call *call, struct session *session, err_t err, struct str response, const char *detail);
};

/* `call` is of the heap. Thread: the session's worker. */
void im_call_start(struct im_call *call, struct session *session, const char *path, struct str request,
                   void (*done)(struct im_call *call, struct session *session, err_t err, struct str response,
                                const char *detail));

#endif
