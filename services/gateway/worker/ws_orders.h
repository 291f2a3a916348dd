#ifndef SKEIN_GATEWAY_WORKER_WS_ORDERS_H
#define SKEIN_GATEWAY_WORKER_WS_ORDERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/*
 * What the main worker asks a worker to do; each order is a task that runs on the
 * worker's thread. `done` is called on the main worker's thread. Thread: the main
 * worker's.
 */

struct move_targets;
struct ws_worker;

typedef void (*ws_order_done)(void *arg, err_t err);

void ws_worker_listen(struct ws_worker *w, ws_order_done done, void *arg);

/* Handshakes under way are refused with 503. */
void ws_worker_stop_listening(struct ws_worker *w);

/* Clients are told to reconnect within that time, and where. `targets` stay. */
void ws_worker_move_all(struct ws_worker *w, const struct move_targets *targets, uint64_t spread_ms);

/* `reason` is a literal. If patient, sessions that wait for the answer to a send stay until it has come. */
void ws_worker_close_all(struct ws_worker *w, uint16_t code, const char *reason, bool is_patient);

/* Closes the WebSocket server; no session is left after it, and im is asked nothing any more. */
void ws_worker_close_server(struct ws_worker *w, ws_order_done done, void *arg);

/* Ends the thread and frees everything. The server is closed, and nothing else will be posted any more. Blocks until then. */
void ws_worker_end(struct ws_worker *w);

#endif
