#ifndef SKEIN_GATEWAY_WORKER_WS_WORKER_H
#define SKEIN_GATEWAY_WORKER_WS_WORKER_H

#include <stdatomic.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/list.h"
#include "gateway/session/conn_table.h"
#include "loop/worker.h"

/*
 * A thread that holds connections: its own loop, listener (all workers share
 * the port), table of connections and timers. What was queued during a turn of
 * the loop is written at its end, one system call a connection.
 *
 * Other threads reach it through tasks, and read its figures.
 */

struct app;
struct elsewhere;
struct session;
struct ws_server;

/* A frame of any size that may be queued fits; up to WS_WRITE_SIZE are gathered for one write. */
#define WS_SCRATCH_SIZE (512 * 1024)
#define WS_WRITE_SIZE (64 * 1024)

struct ws_worker {
	struct worker worker;
	struct app *app;
	unsigned index;
	struct ws_server *server; /* NULL when there is none */
	struct conn_table table;
	struct list dirty; /* sessions that have something to write */
	struct list waiting_reads; /* of inboxes, each one's turn comes */
	unsigned reads_under_way;
	struct list pausing_calls; /* of im, to be asked again */
	double im_budget; /* how many more may be */
	char *scratch;
	uv_prepare_t before_sleep;
	uv_check_t after_sleep;
	uv_timer_t renewal; /* once a second, over a slice of the table */
	struct clock_watch clock;
	uint32_t renewal_slot; /* where the next slice begins */
	uint32_t renewal_hurry; /* slots still to be renewed in a hurry */
	uint32_t routes_kept, routes_lost; /* by the renewals answered in this second */
	uint64_t woke_us;
	uint64_t queue_bytes;
	uint64_t frames_out, bytes_out; /* of this turn */
	bool is_leaving; /* takes nobody in any more */
	const struct elsewhere *elsewhere; /* where clients are sent; NULL: they are not */
	uint64_t move_until_ms; /* until when they are to have gone there */

	atomic_bool renew_soon, doubt_soon;
	atomic_uint_fast64_t shown_queue_bytes;
	atomic_uint shown_reads;
	atomic_uint_fast64_t longest_turn_us; /* since it was last asked */
};

/* Thread of these: the main worker's, before it starts. */
err_t ws_worker_init(struct ws_worker *worker, struct app *app, unsigned index) MUST_CHECK;
err_t ws_worker_start(struct ws_worker *worker) MUST_CHECK;

/*
 * What the main worker asks it to do; each ends in a call back on the main
 * worker's thread, if there is one to call.
 */
void ws_worker_listen(struct ws_worker *worker, void (*done)(struct app *app, err_t err));
void ws_worker_stop_listening(struct ws_worker *worker); /* handshakes under way are refused with 503 */
/* Clients are told to reconnect within that time, and where. `elsewhere` stays. */
void ws_worker_move_all(struct ws_worker *worker, const struct elsewhere *elsewhere, uint64_t spread_ms);
/* `reason` is a literal. If patient, those that wait for the answer to a send stay until it has come. */
void ws_worker_close_all(struct ws_worker *worker, uint16_t code, const char *reason, bool is_patient);
void ws_worker_close_server(struct ws_worker *worker, void (*done)(struct app *app, err_t err));

/* Ends the thread and frees everything. The server is closed, and nothing will be posted any more. */
void ws_worker_end(struct ws_worker *worker);

/* The routes of all its connections are renewed within a few seconds. Thread: any. */
void ws_worker_renew_soon(struct ws_worker *worker);

/* They are bound again, and the inboxes read again: the node counted as dead for a while. Thread: any. */
void ws_worker_doubt_routes(struct ws_worker *worker);

/* A renewal was answered. Thread: the worker's. */
void ws_worker_note_renewal(struct ws_worker *worker, bool kept);

/* The longest turn of its loop since the last time it was asked. Thread: any; one asks. */
uint64_t ws_worker_take_lag_ms(struct ws_worker *worker);

uint64_t ws_worker_queue_bytes(const struct ws_worker *worker);
unsigned ws_worker_reads(const struct ws_worker *worker);

#endif
