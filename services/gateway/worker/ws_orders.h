#ifndef SKEIN_GATEWAY_WORKER_WS_ORDERS_H
#define SKEIN_GATEWAY_WORKER_WS_ORDERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/*
 * Orders of the main worker to a worker. Each order is a task that runs on the
 * worker's thread. `done` is called on the main worker's thread. Thread: the main
 * worker's.
 */

struct move_targets;
struct ws_worker;

typedef void (*ws_order_done)(void *arg, err_t err);

void ws_worker_listen(struct ws_worker *w, ws_order_done done, void *arg);

/* Handshakes under way are refused with 503. */
void ws_worker_stop_listening(struct ws_worker *w);

/* Clients are told to reconnect within `spread_ms`, and where. `targets` are not copied. */
void ws_worker_move_all(struct ws_worker *w, const struct move_targets *targets, uint64_t spread_ms);

/* `reason` is a literal. If patient, a session that waits for the answer to a send is closed when it has come. */
void ws_worker_close_all(struct ws_worker *w, uint16_t code, const char *reason, bool is_patient);

/* Closes the WebSocket server. After it no session is left, and no call of im begins. */
void ws_worker_close_server(struct ws_worker *w, ws_order_done done, void *arg);

/* Ends the thread, waits for that and frees everything. The server is closed, and nothing else will be posted. */
void ws_worker_end(struct ws_worker *w);

#endif
