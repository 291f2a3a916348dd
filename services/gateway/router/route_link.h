#ifndef SKEIN_GATEWAY_ROUTER_ROUTE_LINK_H
#define SKEIN_GATEWAY_ROUTER_ROUTE_LINK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/error.h"
#include "base/list.h"
#include "base/map.h"
#include "base/timer_wheel.h"
#include "gateway/router/conn_route.h"

/*
 * The stream of route changes to router, one for the process, on the main worker.
 * The worker of a connection makes a change, the main worker sends it, and the
 * answer goes back to the worker that made it.
 *
 * When the stream breaks, the changes without an answer are sent again on the next
 * one, in order; router's scripts are idempotent. The number of connections bounds
 * the number of changes: each connection has at most one BIND, REBIND or RENEW
 * under way and one UNBIND. A connection that is closed before its BIND was sent
 * sends neither BIND nor UNBIND.
 *
 * When a router does not answer within ROUTE_ANSWER_MS, or sends anything but
 * RouteAnswers, the stream is opened to the next router. After the third router in
 * a row that does not answer, and after each further one, the time doubles, up to
 * 8 * ROUTE_ANSWER_MS.
 */

#define ROUTE_ANSWER_MS 2500 /* longer than router waits for its Redis */

/* After this long without a stream new connections are refused, because they could not be bound. */
#define ROUTE_AWAY_MS 2000

struct counter;
struct rpc_channel;
struct rpc_stream;
struct worker;

struct route_answer {
	uint64_t conn;
	err_t err;
	bool kept; /* RENEW, UNBIND: router had the route */
	uint64_t inbox_epoch, inbox_head; /* BIND, REBIND */
};

typedef void (*route_answered)(const struct route_answer *answer, void *arg);

/* A change that a connection asks for. The texts are copied. */
struct route_request {
	enum route_op op; /* not ROUTE_NOTHING */
	uint64_t conn;
	const char *uid, *device, *platform;
	uint64_t since_ms; /* wall clock; of BIND and REBIND */
	struct worker *home; /* `answered` is called on its thread */
	route_answered answered; /* NULL: the answer is dropped */
	void *arg;
};

struct route_link_setup {
	struct worker *main;
	struct rpc_channel *channel; /* to router, used for this stream only: a new stream goes to the next router */
	const char *node; /* this gateway's name */
	const atomic_uint_fast64_t *node_epoch;
	struct counter *changes_of_router; /* streams given up because router did not answer */
	void (*opened)(void *arg); /* a stream is up; routes may have expired before */
	void *arg;
};

struct route_link {
	struct route_link_setup setup;
	struct rpc_stream *stream;
	uv_prepare_t flush; /* once per turn of the loop */
	struct list waiting; /* to be sent, in order */
	struct list sent; /* without an answer, in order */
	unsigned sent_count;
	struct map by_id; /* all changes of both lists */
	struct map binds; /* their BINDs and REBINDs, by connection */
	struct timer watch; /* deadline of the first change in `sent`, or of the stream's opening */
	unsigned given_up; /* streams given up since the last answer */
	uint64_t last_id;
	bool is_up;
	bool wants_flush;
	atomic_uint_fast64_t down_since_ms; /* 0 while it is up */
};

/* Thread, of all but route_link_is_away() and route_link_submit(): the main worker's. */
void route_link_open(struct route_link *link, const struct route_link_setup *setup);

/* Changes without an answer are dropped. The memory may be freed on the next turn of the loop. */
void route_link_close(struct route_link *link);

static inline bool route_link_is_up(const struct route_link *link)
{
	return link->is_up;
}

/* There was no stream for ROUTE_AWAY_MS. Thread: any. */
bool route_link_is_away(const struct route_link *link, uint64_t now_ms);

/* Changes that router has not answered. */
static inline size_t route_link_unanswered(const struct route_link *link)
{
	return link->by_id.len;
}

/* Of this gateway's registration, as its routes name it. Thread: any. */
static inline uint64_t route_link_node_epoch(const struct route_link *link)
{
	return atomic_load(link->setup.node_epoch);
}

/* Sends a change off. The answer comes once, unless the link is closed before. Thread: any. */
void route_link_submit(struct route_link *link, const struct route_request *request);

#endif
