#ifndef SKEIN_GATEWAY_SESSION_SESSION_HOME_H
#define SKEIN_GATEWAY_SESSION_SESSION_HOME_H

#include <stdatomic.h>

#include "base/list.h"
#include "gateway/im/im_call.h"
#include "gateway/im/inbox_reader.h"
#include "gateway/im/receipt_sender.h"
#include "gateway/queues/ack_window.h"
#include "gateway/queues/conn_table.h"
#include "gateway/queues/out_queue.h"

/*
 * What the sessions of one worker share, and all that they know of the process.
 * The worker makes it before its thread starts. Thread: the worker's.
 */

struct gateway_config;
struct gateway_metrics;
struct jwt_keys;
struct move_targets;
struct route_link;
struct worker;

/* A frame of any size that may be queued fits; up to SESSION_WRITE_SIZE are gathered for one write. */
#define SESSION_SCRATCH_SIZE (512 * 1024)
#define SESSION_WRITE_SIZE (64 * 1024)

struct session_home {
	/* of the process; not changed here */
	struct worker *worker;
	const struct gateway_config *config;
	struct gateway_metrics *metrics;
	const struct jwt_keys *keys;
	struct route_link *routes;
	atomic_uint *connections; /* of all workers, from the handshake on */
	struct out_limits out_limits;
	struct out_limits event_limits; /* a queue that is fuller takes no event */
	struct ack_limits ack_limits;

	/* of this worker */
	struct conn_table table;
	struct im_caller im;
	struct inbox_reader reader;
	struct receipt_sender receipts;
	struct list dirty; /* sessions that have something to write */
	char *scratch; /* SESSION_SCRATCH_SIZE bytes */
	uint64_t queue_bytes;
	uint64_t frames_out, bytes_out; /* since they were counted last */
	uint32_t routes_kept, routes_lost; /* by the renewals answered since the renewal looked last */

	/* of the drain */
	bool takes_nobody; /* handshakes are refused */
	const struct move_targets *targets; /* where clients are sent; NULL: they are not sent away */
	uint64_t move_until_ms; /* until when they are to have gone there */
};

#endif
