#ifndef SKEIN_GATEWAY_GRPC_WORKER_RUN_H
#define SKEIN_GATEWAY_GRPC_WORKER_RUN_H

#include <stdatomic.h>
#include <stdbool.h>

#include "loop/worker.h"

/*
 * One request that several workers execute: each worker concerned does its part on
 * its own thread, and the last of them ends the request there. Made on the rpc
 * queue's thread.
 *
 * Embed it as the last member: it ends in an array with one part for each worker.
 */

struct gateway_service;
struct worker_run;
struct ws_worker;

struct worker_part {
	struct task task;
	struct worker_run *run;
	struct ws_worker *w;
	bool is_concerned;
};

struct worker_run {
	void (*work)(struct worker_run *run, struct ws_worker *w); /* a worker's part; on its thread */
	void (*end)(struct worker_run *run); /* frees it; on the thread of the last worker, or of worker_run_start() */
	unsigned worker_count;
	atomic_uint open_parts; /* one more until worker_run_start() has posted them all */
	struct worker_part parts[];
};

static inline size_t worker_run_size(unsigned worker_count)
{
	return worker_count * sizeof(struct worker_part);
}

/* `run` is zeroed, with worker_run_size() bytes behind it. */
void worker_run_init(struct worker_run *run, const struct gateway_service *service,
                     void (*work)(struct worker_run *run, struct ws_worker *w), void (*end)(struct worker_run *run));

/* Gives the worker that this connection id names a part. False: there is no such worker. */
bool worker_run_add(struct worker_run *run, uint64_t conn);

/* Gives every worker a part. */
void worker_run_add_all(struct worker_run *run);

/* Posts the parts to their workers. Without any part it calls `end` itself. */
void worker_run_start(struct worker_run *run);

#endif
