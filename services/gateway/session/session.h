#ifndef SKEIN_GATEWAY_SESSION_SESSION_H
#define SKEIN_GATEWAY_SESSION_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/rate_limit.h"
#include "base/timer_wheel.h"
#include "gateway/queues/ack_window.h"
#include "gateway/queues/out_queue.h"
#include "gateway/queues/pulled.h"
#include "gateway/queues/sequencer.h"
#include "gateway/queues/typing_pace.h"
#include "gateway/queues/unacked.h"
#include "gateway/router/conn_route.h"
#include "gateway/router/route_link.h"
#include "gateway/session/session_home.h"
#include "loop/worker.h"
#include "net/jwt.h"

/*
 * One client's connection: its state, its output, its end. Embedded in the
 * WebSocket server's connection, which owns the memory.
 *
 *   NEW      the handshake was good
 *   OPENING  it has an id; im is asked to admit the user, then router to bind
 *            the route; its messages are held
 *   LIVE     both were answered: hello was sent, messages follow
 *   CLOSING  the close frame was sent, or the connection is broken
 *
 * session_open.c leads from NEW to LIVE, session_close() to CLOSING. The other
 * files of the folder build on this one (README.md has their order).
 *
 * There are many sessions and most are idle: memory that only a few need at a time
 * is allocated when they need it. Thread, of everything here: its worker's.
 */

struct opening;
struct ws_conn;

enum session_state { SESSION_NEW, SESSION_OPENING, SESSION_LIVE, SESSION_CLOSING };

struct session {
	/* the fields that every message uses, together */
	struct session_home *home;
	struct ws_conn *conn;
	struct out_queue out;
	struct list dirty; /* in the home's list `dirty` while frames wait to be written, in `stalled` while the client
	                      does not read */
	uint32_t held; /* bytes that the transport held when the client stalled; 0: it is not stalled */
	uint8_t state; /* enum session_state */
	uint8_t subprotocol; /* enum subprotocol */
	uint8_t send_count;
	struct conn_route route;
	bool never_acks; /* ack=0 */
	bool owes_resend; /* messages in flight are sent again after the read under way */
	bool closes_when_answered; /* the node drains: closed when im has answered its sends */
	bool owes_admission; /* the route was bound again, and im's answer was an error: asked again with the next renewal */
	struct sequencer sequencer;
	struct ack_window window;

	struct unacked unacked; /* messages whose senders are told when they are acked */
	struct pulled pulled; /* the same for what the client reads over HTTP */
	uint64_t id; /* of its connection; 0 until im is asked whether it may connect */
	struct timer timer; /* armed for the earliest of its deadlines */
	struct list sends; /* of struct pending_send: sends that im has not answered */
	struct opening *opening; /* until it is LIVE */
	struct inbox_read *read; /* the read of its inbox under way; NULL: none */
	struct watch_list *watching; /* whose presence it watches; NULL: nobody's */
	struct typing_pace *typing; /* NULL until the first `typing` */
	char *names; /* uid, device and platform, each with its terminator */
	uint64_t expires_ms; /* of the token; wall clock */
	uint64_t issued_ms; /* of the first token of its token's family; 0: it does not say */
	unsigned char token_id[JWT_TOKEN_ID_BYTES]; /* of the family (net/jwt.h) */
	uint64_t since_ms; /* when it was opened; wall clock */
	uint64_t heard_ms; /* last sign of life */
	uint64_t ping_ms; /* when the next ping is sent */
	struct rate_limit frames; /* of any kind: over it the connection is closed */
	struct rate_limit requests; /* frames of client_frame.h: over it they are refused */
	struct rate_limit refusals; /* sends that were too many: over it the connection is closed */
	uint16_t device_at, platform_at; /* in `names` */
};

#define SESSION_SENDS_MAX 250 /* fits send_count */

#define SESSION_PING STR("sk") /* the payload of pings */

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

/* The clock of its deadlines: it stands still while the worker does. */
static inline uint64_t session_now_ms(const struct session *session)
{
	return worker_now_ms(session->home->worker);
}

/* OPENING or LIVE: it has an id. */
static inline bool session_is_open(const struct session *session)
{
	return session->state == SESSION_OPENING || session->state == SESSION_LIVE;
}

/* The tokens that a kick is about: those of one family, or those that were issued up to a time; neither (empty, 0): any. */
struct session_tokens {
	struct str id;
	uint64_t issued_until_ms;
};

/* Whether it is this user's and was opened with one of these tokens. */
bool session_is_of(const struct session *session, const char *uid, const struct session_tokens *tokens);

/* The session of a connection of this worker; NULL: it is gone. */
static inline struct session *session_find(const struct session_home *home, uint64_t conn)
{
	return conn_table_find(&home->table, conn);
}

/*
 * Asks router for a change of the route; ROUTE_NOTHING asks nothing. `answered` (or NULL) is called with the session's home on
 * its thread; the session may be gone by then.
 */
void session_ask_router(struct session *session, enum route_op op, route_answered answered);

/* The answer to BIND or REBIND. True: router has the route, and the answer has a valid head of the inbox. */
bool session_take_bind_answer(struct session *session, const struct route_answer *answer);

/* Makes sure that the timer of a LIVE session fires by then. */
void session_wake_at(struct session *session, uint64_t deadline_ms);

/* ---- output: frames are queued, and written together when the turn of the loop ends ---- */

/*
 * Appends to the queue and takes the reference, in any case. ERR_CLOSED: the session is not LIVE. ERR_FULL: the queue is
 * over its limits; the session was closed.
 */
err_t session_queue(struct session *session, const struct out_entry *entry);

/* The same with limits of the caller's. ERR_FULL: the entry was dropped, and the session stays open. */
err_t session_queue_if_room(struct session *session, const struct out_entry *entry, const struct out_limits *limits);

/* Writes queued frames until the socket is blocked. Then the session is stalled. */
void session_flush(struct session *session);

/* The socket takes frames again: writes on. */
void session_write_on(struct session *session);

/* Drops the queued messages and events; the answers to the client's frames stay. Returns how many were dropped. */
unsigned session_drop_messages(struct session *session);

/* ---- the end ---- */

/* Before the upgrade: answers the handshake by an error. The session is gone afterwards. */
void session_refuse(struct session *session, err_t err, const char *detail);

/* Sends queued frames, as far as the socket takes them, and then the close frame. Idempotent. */
void session_close(struct session *session, uint16_t code, const char *reason);

/* Frees it, and gives back what its early frames took from the budget. */
void session_free_opening(struct session *session, struct opening *opening);

/* The connection is gone. The WebSocket server frees the memory after this. */
void session_release(struct session *session);

#endif
