#ifndef SKEIN_GATEWAY_ROUTER_ROUTE_LINK_H
#define SKEIN_GATEWAY_ROUTER_ROUTE_LINK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/map.h"
#include "base/timer_wheel.h"
#include "loop/worker.h"
#include "rpc/client/rpc_client.h"

/*
 * The stream of changes of routes to router, one for the process, on the main
 * worker. A change is an object that travels: made by the worker of its
 * connection, handed to the main worker, sent, and with its answer handed back
 * to where it came from.
 *
 * When the stream breaks, what has no answer is sent again on the next one, in
 * order; router's scripts make that harmless. What waits is bounded by the
 * connections: each has at most one BIND and one RENEW under way, and a
 * connection that goes before its BIND was ever sent takes it along.
 *
 * A router that is there and does not answer, or not with RouteAnswers, is left
 * for the next one after ROUTE_ANSWER_MS; when that has not helped three times,
 * after twice that time, and so on.
 */

#define ROUTE_ANSWER_MS 2500 /* longer than router waits for its Redis */

/* With no stream for so long, new connections are refused: nobody could bind them. */
#define ROUTE_AWAY_MS 2000

enum route_op {
	ROUTE_BIND,
	ROUTE_REBIND, /* its route was lost: yields to connections that came later */
	ROUTE_UNBIND,
	ROUTE_RENEW,
};

struct app;
struct ws_worker;

struct route_change {
	struct task task; /* on its way to the main worker, or back */
	struct list link;
	struct map_node by_id, by_conn;
	struct app *app;
	struct ws_worker *home;
	enum route_op op;
	bool was_sent; /* on some stream: it may have been executed */
	uint64_t id;
	uint64_t sent_ms;
	uint64_t conn;
	uint64_t since_ms; /* wall clock; of BIND, REBIND */
	/* the answer */
	err_t err;
	bool kept; /* RENEW, UNBIND */
	uint64_t inbox_epoch, inbox_head; /* BIND, REBIND */
	/* uid, device and platform, each with its terminator */
	const char *device, *platform;
	char uid[];
};

struct route_link {
	struct app *app;
	struct rpc_stream *stream;
	uv_prepare_t flush; /* once per turn of the loop */
	struct list waiting; /* to be sent, in order */
	struct list sent; /* without an answer, in order */
	unsigned sent_count;
	struct map by_id; /* all of both lists */
	struct map binds; /* the BINDs and REBINDs among them, by connection */
	struct timer watch; /* of the first one in `sent` */
	unsigned given_up; /* streams, since the last answer */
	uint64_t last_id;
	bool is_up;
	bool wants_flush;
	atomic_uint_fast64_t down_since_ms; /* 0 while it is up */
};

/* Thread, of all but route_link_is_away() and route_change_submit(): the main worker's. */
void route_link_open(struct route_link *link, struct app *app);

/* Changes without an answer are dropped. The memory may go once the loop has turned. */
void route_link_close(struct route_link *link);

static inline bool route_link_is_up(const struct route_link *link)
{
	return link->is_up;
}

/* No router has been there for a while. Thread: any. */
bool route_link_is_away(const struct route_link *link, uint64_t now_ms);

/* Nothing is waiting for an answer. */
static inline bool route_link_is_idle(const struct route_link *link)
{
	return link->by_id.len == 0;
}

/*
 * Makes a change and sends it off. Its answer comes as session_route_answered() on the thread of `home`. Copies the texts.
 * Thread: home's.
 */
void route_change_submit(struct ws_worker *home, enum route_op op, uint64_t conn, const char *uid, const char *device,
                         const char *platform, uint64_t since_ms);

#endif
