#ifndef SKEIN_STORE_REQUESTS_H
#define SKEIN_STORE_REQUESTS_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/list.h"
#include "base/telemetry/metrics.h"
#include "loop/worker.h"

/*
 * The request queue of the PostgreSQL and Redis clients: requests wait for a
 * connection, are sent in order, are answered in that order, and each ends exactly
 * once. Only these clients use it; pg.h and redis.h give the rules.
 *
 * A sent request whose answer is late ends, but it keeps its place until the
 * answer comes, so that later answers find their own requests. A connection is
 * given up only when no answer at all came for a whole timeout. So a request that
 * waited out an outage, and is sent shortly before its deadline, does not cost the
 * others their connection.
 *
 * Thread: the worker's.
 */
struct request {
	struct list link;
	uint64_t deadline_ms;
	bool is_ended; /* its caller was told */
};

/* All requests of one client. */
struct requests {
	struct worker *worker;
	uint64_t timeout_ms; /* the same for all requests, so the oldest one has the first deadline */
	unsigned max_open;
	unsigned open; /* admitted and not ended */
	struct gauge *open_gauge; /* may be NULL */
	struct list refused; /* to be ended on the loop's next turn */
	uv_idle_t refuse; /* runs while `refused` is not empty */
	void (*end)(struct request *request, err_t err); /* tells the caller, which may give more requests at once */
	void (*free)(struct request *request);
};

void requests_init(struct requests *requests, struct worker *worker, unsigned max_open, uint64_t timeout_ms,
                   struct gauge *open_gauge);

/* Ends the refused requests. No request may be given afterwards. `closed` gets the handle `refuse`, on a later turn. */
void requests_close(struct requests *requests, uv_close_cb closed);

/* Call it first for a new request. False if max_open are open: the request then ends a turn later with ERR_UNAVAILABLE. */
bool requests_admit(struct requests *requests, struct request *request) MUST_CHECK;

/* Ends a request with ERR_UNAVAILABLE a turn later. */
void requests_refuse(struct requests *requests, struct request *request);

/* Ends the request unless it has ended; does not free it. */
void requests_end(struct requests *requests, struct request *request, err_t err);

/* The requests that go through one connection. */
struct pipeline {
	struct requests *requests;
	struct list waiting; /* no byte of them was sent */
	struct list sent; /* in the order in which answers come */
	struct request *oldest_open; /* the first of `sent` that has not ended, or NULL */
	unsigned len; /* of `waiting` and `sent` */
	unsigned sent_len;
	uint64_t progress_ms; /* when the last answer came, or when the first of `sent` was sent */
	struct timer timer;
	void (*stalled)(struct pipeline *pipeline); /* the owner gives the connection up; NULL if nothing is ever sent */
};

void pipeline_init(struct pipeline *pipeline, struct requests *requests, void (*stalled)(struct pipeline *pipeline));

void pipeline_push(struct pipeline *pipeline, struct request *request);

/* The one whose answer comes next, or NULL. */
struct request *pipeline_oldest(const struct pipeline *pipeline);

/* The next request to be sent, or NULL. */
struct request *pipeline_next(const struct pipeline *pipeline);

/* The request was sent now. */
void pipeline_mark_sent(struct pipeline *pipeline, struct request *request);

/* Takes out the request whose answer came; the caller ends and frees it. There must be a sent request. */
struct request *pipeline_take_answered(struct pipeline *pipeline);

/* Moves answered requests that must be sent again to the head of the waiting ones. */
void pipeline_put_back(struct pipeline *pipeline, struct list *answered);

/* Moves all waiting requests to another pipeline. */
void pipeline_move_waiting(struct pipeline *to, struct pipeline *from);

/* The connection was lost: sent requests end in ERR_OUTCOME_UNKNOWN, waiting ones go on waiting. */
void pipeline_lose(struct pipeline *pipeline);

/* Like pipeline_lose(), and waiting requests end in ERR_UNAVAILABLE. */
void pipeline_close(struct pipeline *pipeline);

#endif
