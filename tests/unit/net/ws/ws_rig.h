#ifndef SKEIN_TESTS_NET_WS_RIG_H
#define SKEIN_TESTS_NET_WS_RIG_H

#include <pthread.h>

#include "net/ws/ws_server.h"

/*
 * A WebSocket server on a thread of its own, for a test that talks to it over
 * sockets. It echoes messages, unless the test replaces a handler before
 * rig_start(). Events are counted; the test waits for counts.
 */

struct rig;

struct session {
	char untouched[32]; /* zeroed by the server */
	unsigned opened, closed;
	void *own; /* of the test's handlers */
};

struct rig {
	struct ws_server_options options;
	struct ws_budget budget;
	unsigned max_frames; /* of all connections, before one is closed with 4006; 0: any number */
	struct worker worker;
	struct ws_server *server;
	uint16_t port;

	/* In place of what the rig does. On the worker's thread. */
	err_t (*accept)(struct rig *rig, const struct ws_handshake *handshake, const char **detail);
	void (*opened)(struct rig *rig, struct ws_conn *conn);
	void (*message)(struct rig *rig, struct ws_conn *conn, bool is_binary, struct str message);
	void (*writable)(struct rig *rig, struct ws_conn *conn);
	void *own; /* of the test's handlers */
	struct ws_conn *last; /* opened; for rig_run() */
	bool is_closing;

	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* guarded by lock; read them after rig_await() or rig_stop() */
	unsigned accepts, openings, frames, messages, signs_of_life, pongs, unblocked, closings, ends;
	uint16_t last_code;
	unsigned last_subprotocol;
	char last_address[64];
	char last_pong[128];
	const char *wrong; /* names an event that must not happen; NULL if there was none */
};

/* Defaults for a test to change; the server begins with rig_start(). */
void rig_init(struct rig *rig);
void rig_start(struct rig *rig);

/* Closes the server, ends the thread; fails the test if a session was not closed once or something went wrong. */
void rig_stop(struct rig *rig);

/* rig_init() and rig_stop() around each test of cmocka, whose initial state is the rig. */
int rig_setup(void **state);
int rig_teardown(void **state);

/* Until `*count` is at least `wanted`. */
void rig_await(struct rig *rig, const unsigned *count, unsigned wanted);

/* Reads a counter under the lock. */
unsigned rig_count(struct rig *rig, const unsigned *count);

/* The first step of rig_stop(); a handler may call it earlier. Thread: the worker's. */
void rig_close_server(struct rig *rig);

/* Runs `act` on the worker's thread and waits for it. */
void rig_run(struct rig *rig, void (*act)(struct rig *rig, void *arg), void *arg);

/* Connections as the server counts them. */
unsigned rig_connections(struct rig *rig);

/* For handlers of the test: one frame. */
void rig_send(struct ws_conn *conn, bool is_binary, struct str message);

#endif
