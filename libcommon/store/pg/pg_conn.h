#ifndef SKEIN_STORE_PG_PG_CONN_H
#define SKEIN_STORE_PG_PG_CONN_H

#include <libpq-fe.h>
#include <stdbool.h>

#include "base/backoff.h"
#include "base/text/str.h"
#include "loop/worker.h"

/*
 * One connection to PostgreSQL under the loop, in libpq's pipeline mode. Internal to store/pg: pg.c puts queries on it.
 *
 * PQconnectStart() resolves names, so it runs on a thread of libuv's pool. pg_conn_lose() is the only way down; a lost
 * connection tries again by itself, with a backoff of 50 ms to 1 s.
 *
 *   DOWN -> STARTING -> HANDSHAKE -> READY
 *    ^__________|___________|__________|
 *
 * Thread: the worker's.
 */

enum pg_conn_state { PG_CONN_DOWN, PG_CONN_STARTING, PG_CONN_HANDSHAKE, PG_CONN_READY };

struct pg_conn;

struct pg_conn_handlers {
	void (*ready)(struct pg_conn *conn);
	/* Input has come, or the socket takes output again. Answers that came before the connection broke still count. */
	void (*readable)(struct pg_conn *conn);
	void (*writable)(struct pg_conn *conn);
	/* The connection is down. */
	void (*lost)(struct pg_conn *conn);
	/* A handle of this connection has left the loop; see pg_conn.open_handles. */
	void (*handle_gone)(struct pg_conn *conn);
};

struct pg_conn {
	struct worker *worker;
	const char *const *keywords; /* PQconnectStartParams()'s; they belong to the pool */
	const char *const *values;
	const struct pg_conn_handlers *handlers;
	unsigned number; /* for the log */
	enum pg_conn_state state;
	PGconn *pq;
	struct pg_start *start;
	struct pg_watch *watch;
	struct backoff backoff;
	unsigned failures; /* since it was ready */
	struct timer timer; /* DOWN: the next try. READY: break it. Else: the try takes too long. */
	bool is_blocked; /* the socket takes no more for now */
	unsigned open_handles; /* on the loop: the memory must stay until there is none */
};

/* Connects in the background. `conn` has its first five members set and the rest zeroed. */
void pg_conn_start(struct pg_conn *conn);

/* Releases everything. Of the handlers only handle_gone is called afterwards. */
void pg_conn_stop(struct pg_conn *conn);

/* Sends the bytes that libpq has buffered. */
void pg_conn_flush(struct pg_conn *conn);

void pg_conn_lose(struct pg_conn *conn, const char *event, struct str reason);

/* Loses the connection on the loop's next turn: for a caller that must not end queries now. */
void pg_conn_break(struct pg_conn *conn);

/*
 * Opens a separate, blocking connection for start-up work (migrations). NULL if it fails, with the reason logged. The caller
 * ends it with PQfinish().
 */
PGconn *pg_connect_blocking(const char *uri);

#endif
