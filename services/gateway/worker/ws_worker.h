#ifndef SKEIN_GATEWAY_WORKER_WS_WORKER_H
#define SKEIN_GATEWAY_WORKER_WS_WORKER_H

#include <stdatomic.h>

#include "base/clock.h"
#include "base/error.h"
#include "gateway/session/session_home.h"
#include "gateway/worker/renewal.h"
#include "loop/worker.h"

/*
 * A thread that holds connections: its own loop, listener (all workers share
 * the port), sessions and timers. Frames that are queued during a turn of the loop
 * are written at its end, with one system call for each connection.
 *
 * Other threads reach it through orders (ws_orders.h) and tasks, and read its
 * figures.
 */

struct ws_server;

struct ws_worker_setup {
	unsigned index;
	struct worker *main; /* gets the answers to orders */
	const struct gateway_config *config;
	struct gateway_metrics *metrics;
	struct jwt_keys *keys;
	struct route_link *routes;
	struct rpc_channel *im;
	atomic_uint *connections; /* of the process */
	struct ws_budget *handshakes; /* of the process */
	struct connect_rates *connect_rates; /* of the process */
	struct stalled_bytes *stalled_bytes; /* of the process */
};

/* Of more batches in one turn of the loop the time is not measured. */
#define WS_WORKER_ARRIVALS 32

struct ws_worker {
	struct worker worker;
	struct session_home home;
	struct worker *main;
	unsigned index;
	struct ws_server *server; /* NULL: it does not listen */
	struct renewal renewal;
	struct clock_watch clock;
	uv_prepare_t before_sleep;
	uv_check_t after_sleep;
	uv_timer_t second;
	uint64_t woke_us;
	uint64_t stood_ms; /* of the worker, when the sessions' timers were last compared with the wall clock */
	uint64_t arrivals_us[WS_WORKER_ARRIVALS]; /* of messages whose frames are written at the end of this turn */
	unsigned arrival_count;
	/* figures for other threads, as of the end of the last turn */
	atomic_uint_fast64_t shown_queue_bytes;
	atomic_uint shown_reads;
	atomic_uint_fast64_t longest_turn_us; /* since ws_worker_take_lag_ms() */
};

/* Thread of these two: the main worker's. */
err_t ws_worker_init(struct ws_worker *w, const struct ws_worker_setup *setup) MUST_CHECK;
err_t ws_worker_start(struct ws_worker *w) MUST_CHECK;

/* Closes the handles of its loop and stops it. The server is closed. Thread: the worker's. */
void ws_worker_stop(struct ws_worker *w);

/* Waits for its thread and frees everything. Nothing will be posted to it. Thread: the main worker's. */
void ws_worker_release(struct ws_worker *w);

/* A batch that arrived at `arrived_us` has queued frames. Thread: the worker's. */
void ws_worker_note_arrival(struct ws_worker *w, uint64_t arrived_us);

/* The longest turn of its loop since the last call. Thread: any one. */
uint64_t ws_worker_take_lag_ms(struct ws_worker *w);

uint64_t ws_worker_queue_bytes(const struct ws_worker *w);
unsigned ws_worker_reads(const struct ws_worker *w);

#endif
