#ifndef SKEIN_GATEWAY_IM_IM_CALL_H
#define SKEIN_GATEWAY_IM_IM_CALL_H

#include "base/error.h"
#include "base/list.h"
#include "base/text/buf.h"
#include "base/text/str.h"
#include "base/timer_wheel.h"

/*
 * A call of im for a connection, answered on the thread of its worker. The call
 * keeps the connection's id, because the connection may be gone by then. Embed it
 * as the first member of a struct on the heap; the struct is freed after `done`.
 *
 * An im that dies or cannot serve causes no error for clients: a call that may be
 * repeated is repeated after a short pause, most likely at another im, until its
 * deadline. Each worker has a budget of repeats, which good answers refill: while
 * no im serves, repeats must not multiply the load.
 *
 * A call may wait for another one's end, so that im serves them in order. It ends
 * with ERR_UNAVAILABLE if im did not serve that one.
 */

struct conn_table;
struct counter;
struct rpc_channel;
struct session;
struct worker;

#define IM_CALL_TIMEOUT_MS 5000 /* all repeats included */
#define IM_CALL_RETRIES 4

/* Repeats that a worker has at first and at most. Each good answer gives back 0.1 of one. */
#define IM_CALL_BUDGET 1000

/* The state that all calls of one worker share. Thread: the worker's. */
struct im_caller {
	struct worker *worker;
	struct rpc_channel *channel;
	const struct conn_table *table;
	struct counter *repeats;
	struct list pausing; /* calls that wait to be repeated */
	bool is_stopped;
	double budget; /* repeats left */
};

struct im_call;

/* `session` is NULL when the connection is gone. */
typedef void (*im_call_done)(struct im_call *call, struct session *session, err_t err, struct str response,
                             const char *detail);

struct im_call {
	/* set by the caller before im_call_start() */
	uint64_t timeout_ms; /* 0: IM_CALL_TIMEOUT_MS */
	unsigned retries; /* most repeats; 0 for a call that must not be executed twice */
	struct im_call *after; /* has not ended, and no other call waits for it: this one begins when it ends; NULL: at once */
	/* private */
	struct im_call *next; /* begins when this one has ended */
	struct im_caller *caller;
	uint64_t conn;
	im_call_done done;
	const char *path;
	struct buf request; /* only of a call that may be repeated, or that waits for another one */
	uint64_t deadline_ms;
	unsigned tries;
	struct timer pause;
	struct list pausing; /* in the caller's list */
};

void im_caller_init(struct im_caller *caller, struct worker *worker, struct rpc_channel *channel,
                    const struct conn_table *table, struct counter *repeats);

/* Before the channel is closed: a call that waits for another one ends when that does. */
void im_caller_stop(struct im_caller *caller);

/* Ends the calls that wait to be repeated. No connection is left. */
void im_caller_drop(struct im_caller *caller);

/* `call` is a zeroed object of the heap, `path` a literal; `request` is copied. */
void im_call_start(struct im_call *call, struct im_caller *caller, uint64_t conn, const char *path, struct str request,
                   im_call_done done);

#endif
