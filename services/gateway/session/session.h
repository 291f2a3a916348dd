#ifndef SKEIN_GATEWAY_SESSION_SESSION_H
#define SKEIN_GATEWAY_SESSION_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/rate_limit.h"
#include "base/timer_wheel.h"
#include "gateway/queues/ack_window.h"
#include "gateway/queues/out_queue.h"
#include "gateway/queues/sequencer.h"
#include "gateway/queues/unacked.h"
#include "gateway/router/conn_route.h"
#include "gateway/router/route_link.h"
#include "gateway/session/session_home.h"
#include "net/jwt.h"

/*
 * One client's connection: its state, its output, its end. Embedded in the
 * WebSocket server's connection, which owns the memory.
 *
 *   NEW      the handshake was good
 *   OPENING  it has an id; im is asked to admit the user, then router to bind
 *            the route; messages for it are held
 *   LIVE     both were answered: hello was sent, messages follow
 *   CLOSING  the close frame was sent, or the connection is broken
 *
 * session_open.c leads from NEW to LIVE, session_close() to CLOSING. The other
 * files of the folder build on this one (README.md has their order).
 *
 * There are many sessions and most are idle: what only a few need at a time is
 * allocated when they do. Thread, of everything here: that of its worker.
 */

struct opening;
struct ws_conn;

enum session_state { SESSION_NEW, SESSION_OPENING, SESSION_LIVE, SESSION_CLOSING };

struct session {
	/* what every message touches, together */
	struct session_home *home;
	struct ws_conn *conn;
	struct out_queue out;
	struct list dirty; /* in the home's list while there is something to write */
	uint8_t state; /* enum session_state */
	uint8_t subprotocol; /* enum subprotocol */
	uint8_t send_count;
	struct conn_route route;
	bool never_acks; /* ack=0 */
	bool owes_resend; /* when the read under way has ended */
	bool closes_when_answered; /* the node drains, and im owes the answer to a send */
	bool owes_admission; /* im gave no answer about the user after the route was bound again */
	struct sequencer sequencer;
	struct ack_window window;

	struct unacked unacked; /* messages whose senders are told of the ack */
	uint64_t id; /* of its connection; 0 while NEW */
	struct timer timer; /* the earliest of all its deadlines */
	struct list sends; /* struct pending_send: without an answer of im */
	struct opening *opening; /* until it is LIVE */
	struct inbox_read *read; /* while something is read from the inbox for it */
	char *names; /* uid, device and platform, each with its terminator */
	uint64_t expires_ms; /* the token; wall clock */
	unsigned char token_id[JWT_TOKEN_ID_BYTES]; /* long enough never to be another token's */
	uint64_t since_ms; /* wall clock */
	uint64_t heard_ms; /* last sign of life */
	uint64_t ping_ms; /* the next one */
	struct rate_limit frames;
	uint16_t device_at, platform_at; /* in `names` */
};

#define SESSION_SENDS_MAX 250 /* fits send_count */

static inline const char *session_uid(const struct session *session)
{
	return session->names;
}

static inline const char *session_device(const struct session *session)
{
	return session->names + session->device_at;
}

static inline const char *session_platform(const struct session *session)
{
	return session->names + session->platform_at;
}

/* OPENING or LIVE: it has an id. */
static inline bool session_is_open(const struct session *session)
{
	return session->state == SESSION_OPENING || session->state == SESSION_LIVE;
}

/* Whether it is this user's and, if a token id is given, was opened with that token. */
bool session_is_of(const struct session *session, const char *uid, struct str token_id);

/* The session of a connection of this worker; NULL: it is gone. */
static inline struct session *session_find(const struct session_home *home, uint64_t conn)
{
	return conn_table_find(&home->table, conn);
}

/*
 * Asks router for a change of the route; ROUTE_NOTHING asks nothing. `answered` (NULL: nobody wants to know) is called with
 * the session's home on its thread; the session may be gone by then.
 */
void session_ask_router(struct session *session, enum route_op op, route_answered answered);

/* Makes sure that the timer of a LIVE session fires by then. */
void session_wake_at(struct session *session, uint64_t deadline_ms);

/* ---- output: references wait in a queue until the turn of the loop ends, then leave with one write ---- */

/*
 * Appends to the queue and takes the reference, in any case. ERR_CLOSED: the session is not LIVE. ERR_FULL: the queue is
 * over its limits; the session was closed.
 */
err_t session_queue(struct session *session, const struct out_entry *entry);

/* The same under limits of its own: over them the entry is dropped, ERR_FULL is returned, and the session stays. */
err_t session_queue_if_room(struct session *session, const struct out_entry *entry, const struct out_limits *limits);

/* Writes what waits, as far as the socket takes it. */
void session_flush(struct session *session);

/* ---- the end ---- */

/* Sends what waits, if it can, and then the close frame. Idempotent. */
void session_close(struct session *session, uint16_t code, const char *reason);

/* The connection is gone. The memory goes with it after this. */
void session_release(struct session *session);

#endif
