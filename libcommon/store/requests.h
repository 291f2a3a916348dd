#ifndef SKEIN_STORE_REQUESTS_H
#define SKEIN_STORE_REQUESTS_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/list.h"
#include "base/telemetry/metrics.h"
#include "loop/worker.h"

/*
 * What the clients of PostgreSQL and Redis share: requests that wait for a
 * connection, go out in order, and are answered in that order, each ended
 * exactly once. Internal to store; pg.h and redis.h give the rules.
 *
 * A request that was sent and got no answer in time is ended, but stays where
 * it is until its answer has passed by, so that the answers behind it find
 * their own requests. A connection is given up only when nothing at all was
 * answered for a whole time-out: requests that waited out an outage and go out
 * with little time left do not bring down the connection for the others.
 *
 * Thread: the worker's.
 */
struct request {
	struct list link;
	uint64_t deadline_ms;
	bool is_ended; /* its caller knows */
};

/* All requests of one client. */
struct requests {
	struct worker *worker;
	uint64_t timeout_ms; /* of each request: so the oldest always has the first deadline */
	unsigned max_open;
	unsigned open; /* given and not ended */
	struct gauge *open_gauge; /* may be NULL */
	struct list refused; /* to be ended on the loop's next turn */
	uv_idle_t refuse; /* runs while some are */
	void (*end)(struct request *request, err_t err); /* tells the caller, who may give more requests */
	void (*free)(struct request *request);
};

void requests_init(struct requests *requests, struct worker *worker, unsigned max_open, uint64_t timeout_ms,
                   struct gauge *open_gauge);

/* Ends what is refused. `closed` gets the handle `refuse` on a later turn; no request may be given any more. */
void requests_close(struct requests *requests, uv_close_cb closed);

/* The first thing for a new request. False if there are too many: it is taken, and ended a turn later. */
bool requests_admit(struct requests *requests, struct request *request) MUST_CHECK;

/* Ends a request with ERR_UNAVAILABLE a turn later. */
void requests_refuse(struct requests *requests, struct request *request);

/* Ends it unless it is ended; it is not freed. */
void requests_end(struct requests *requests, struct request *request, err_t err);

/* Of those, what goes through one connection. */
struct pipeline {
	struct requests *requests;
	struct list waiting; /* not a byte of them was sent */
	struct list sent; /* in the order in which answers come */
	struct request *oldest_open; /* the first of `sent` whose caller does not know, or NULL */
	unsigned len; /* of both */
	unsigned sent_len;
	uint64_t progress_ms; /* when the last answer came, or the first of `sent` went */
	struct timer timer;
	void (*stalled)(struct pipeline *pipeline); /* give the connection up; may be NULL when nothing is ever sent */
};

void pipeline_init(struct pipeline *pipeline, struct requests *requests, void (*stalled)(struct pipeline *pipeline));

void pipeline_push(struct pipeline *pipeline, struct request *request);

/* The one whose answer comes next, or NULL. */
struct request *pipeline_oldest(const struct pipeline *pipeline);

/* The next to be sent, or NULL. */
struct request *pipeline_next(const struct pipeline *pipeline);

/* That one is sent now. */
void pipeline_mark_sent(struct pipeline *pipeline, struct request *request);

/* The one whose answer came: taken out, the caller ends and frees it. There must be one. */
struct request *pipeline_take_answered(struct pipeline *pipeline);

/* Moves answered ones that have to be sent again to the head of those that wait. */
void pipeline_put_back(struct pipeline *pipeline, struct list *answered);

/* Moves all that waits to another. */
void pipeline_move_waiting(struct pipeline *to, struct pipeline *from);

/* The connection is gone: what was sent ends in ERR_OUTCOME_UNKNOWN. What waits goes on waiting. */
void pipeline_lose(struct pipeline *pipeline);

/* For good: what waits ends in ERR_UNAVAILABLE, too. */
void pipeline_close(struct pipeline *pipeline);

#endif
