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
#include "gateway/queues/watches.h"

/*
 * The state that the sessions of one worker share, and the parts of the process
 * that they use. The worker makes it before its thread starts. Thread: the
 * worker's.
 */

struct connect_rates;
struct gateway_config;
struct gateway_metrics;
struct jwt_keys;
struct move_targets;
struct route_link;
struct worker;
struct ws_budget;

/* The scratch memory holds any frame that may be queued, or several up to SESSION_WRITE_SIZE, for one write. */
#define SESSION_SCRATCH_SIZE (512 * 1024)
#define SESSION_WRITE_SIZE (16 * 1024) /* bounds what the transport keeps for a client that does not read */

/* Bytes of the process for clients that do not read: queued ones, and those that the transport holds. Thread: any. */
struct stalled_bytes {
	size_t max;
	atomic_size_t now;
};

struct session_home {
	/* of the process; not changed here */
	struct worker *worker;
	const struct gateway_config *config;
	struct gateway_metrics *metrics;
	struct jwt_keys *keys;
	struct route_link *routes;
	atomic_uint *connections; /* of all workers, from the handshake on */
	struct ws_budget *handshakes; /* of all workers, until hello */
	struct connect_rates *connect_rates; /* of all workers */
	struct stalled_bytes *stalled_bytes; /* of all workers */
	struct out_limits out_limits;
	struct out_limits event_limits; /* a queue over them takes no event */
	struct ack_limits ack_limits;

	/* of this worker */
	struct conn_table table;
	struct im_caller im;
	struct inbox_reader reader;
	struct receipt_sender receipts;
	struct watches watches; /* whose presence its sessions watch */
	struct list dirty; /* sessions with frames to write */
	struct list stalled; /* sessions whose client does not read, the longest first */
	char *scratch; /* SESSION_SCRATCH_SIZE bytes */
	uint64_t queue_bytes;
	uint64_t frames_out, bytes_out; /* in this turn of the loop: not yet added to the metrics */
	uint32_t routes_kept, routes_lost; /* answers to renewals since they were last compared (renewal.c) */

	/* of the drain */
	bool takes_nobody; /* handshakes are refused */
	const struct move_targets *targets; /* where clients are to go; NULL: they stay */
	uint64_t move_until_ms; /* when the last of them is to go */
};

#endif
