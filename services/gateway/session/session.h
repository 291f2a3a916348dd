#ifndef SKEIN_GATEWAY_SESSION_SESSION_H
#define SKEIN_GATEWAY_SESSION_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text/buf.h"
#include "base/list.h"
#include "base/rate_limit.h"
#include "base/timer_wheel.h"
#include "gateway/queues/ack_window.h"
#include "gateway/wire/shared_frame.h"
#include "gateway/queues/out_queue.h"
#include "gateway/queues/sequencer.h"
#include "net/jwt.h"
#include "net/ws/ws_server.h"

/*
 * One client's connection, embedded in the WebSocket server's. Its way:
 *
 *   NEW      the handshake was good
 *   OPENING  it has an id; im is asked to admit the user, then router to bind
 *            the route; messages for it are held
 *   LIVE     both are there: hello was sent, messages follow
 *   CLOSING  the close frame was sent, or the connection is broken
 *
 * There are many of these and most are idle: what only a few need at a time is
 * allocated when they do. Thread, of everything here: that of its worker.
 *
 *   session.c           this way, heartbeats, the route
 *   session_admission.c who may be connected
 *   session_receive.c   what the client sends
 *   session_deliver.c   messages, put in order
 *   session_sync.c      what it has missed, read from the inbox; acks
 *   session_write.c     what leaves
 */

struct ws_worker;
struct route_change;
struct inbox_read;

/* What a connection needs until it is LIVE. */
struct opening {
	uint64_t deadline_ms;
	uint64_t epoch, head; /* of the inbox, once the route is bound */
	bool knows_head; /* before it is: session_read_head() */
	bool has_position; /* the client said where it is */
	uint64_t client_epoch, client_offset; /* epoch 0: none of ours */
	struct buf early; /* frames that came too early, each after its length */
	unsigned early_count;
};

enum session_state { SESSION_NEW, SESSION_OPENING, SESSION_LIVE, SESSION_CLOSING };

struct session {
	/* what every message touches, together */
	struct ws_worker *home;
	struct ws_conn *conn;
	struct out_queue out;
	struct list dirty; /* in the worker's list while there is something to write */
	uint8_t state; /* enum session_state */
	uint8_t subprotocol; /* enum subprotocol */
	uint8_t send_count;
	bool never_acks; /* ack=0 */
	bool has_route; /* router was asked to bind it */
	bool is_binding, is_renewing; /* no answer yet */
	bool doubts_route; /* it may not have been used for a while: bind again, and read the inbox */
	bool owes_resend; /* when the inbox is read for something else */
	bool closes_when_answered; /* the node goes away, and im owes the answer to a send */
	bool needs_admission; /* it was bound again, and im has not answered since */
	struct sequencer sequencer;
	struct ack_window window;

	uint64_t id; /* of its connection; 0 while NEW */
	struct timer timer; /* the earliest of all its deadlines */
	struct list sends; /* struct pending_send: without an answer of im */
	struct opening *opening; /* until it is LIVE */
	struct inbox_read *read; /* while something is read from the inbox for it */
	char *names; /* uid, device and platform, each with its terminator */
	uint64_t expires_ms; /* the token; wall clock */
	unsigned char token_id[JWT_TOKEN_ID_BYTES]; /* a shorter one would close a stranger's connection some day */
	uint64_t since_ms; /* wall clock */
	uint64_t heard_ms; /* last sign of life */
	uint64_t ping_ms; /* the next one */
	struct rate_limit frames;
	uint16_t device_at, platform_at; /* in `names` */
};

#define SESSION_SENDS_MAX 250 /* fits send_count */
#define GATEWAY_SENDS_MAX 20000 /* of all sessions: what im has to answer at once, and what is kept in memory for it */

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

/* ---- session.c ---- */

extern const struct ws_handlers session_handlers; /* their arg is the struct ws_worker */

/* Sends what waits, if it can, and then the close frame. Idempotent. */
void session_close(struct session *session, uint16_t code, const char *reason);

/* im's answer to Admit. */
void session_admitted(struct session *session, err_t err);

/* SABOTAGE_SYNC_FIRST: reads the inbox's head before the route is bound; session_admitted() follows. */
#ifdef SKEIN_SABOTAGE
void session_read_head(struct session *session);
#else
static inline void session_read_head(struct session *session)
{
	(void)session;
}
#endif

/* Router's answer to a change of its route. */
void session_route_answered(struct session *session, const struct route_change *change);

/* The node drains: the client is told when to go, and where. One that is not LIVE yet is told when it is. */
void session_tell_to_move(struct session *session);

/* Asks router to renew the route, unless it is being asked something. */
void session_renew(struct session *session);

/* The wall clock was set: the token may expire sooner, or later, than its timer believes. */
void session_clock_was_set(struct session *session);

/* Makes sure that its timer fires by then. */
void session_wake_at(struct session *session, uint64_t deadline_ms);

/* ---- session_admission.c ---- */

/* Asks im whether the user may be connected with this token; session_admitted() follows. */
void session_ask_admission(struct session *session);

/* Whether it is this user's and, if a token id is given, was opened with that token. */
bool session_is_of(const struct session *session, const char *uid, struct str token_id);

/* ---- session_receive.c ---- */

/* A frame, of the right kind and within the limits. Before hello it is kept. */
void session_receive(struct session *session, struct str message);

/* Takes up what was kept. */
void session_receive_early(struct session *session, struct opening *opening);

/* Forgets sends that im has not answered. */
void session_forget_sends(struct session *session);

/* The message of a send that has no answer yet: it must not overtake the answer. Remembers its offset. */
bool session_awaits(struct session *session, struct str client_msg_id, uint64_t offset);

/* ---- session_deliver.c ---- */

extern const struct sequencer_rules session_sequencer_rules;

enum verdict { VERDICT_QUEUED, VERDICT_GONE, VERDICT_LAGGING };

/* A message for this connection. `share` NULL: it cannot be read, but has its number. */
enum verdict session_deliver(struct session *session, uint64_t epoch, uint64_t offset, struct fanout_share *share,
                             enum audience audience, uint64_t now_ms);

/* Sends what may be sent now. After anything that may have let a message pass. */
void session_release(struct session *session, uint64_t now_ms);

/* ---- session_sync.c ---- */

/* The client said that it has everything up to `offset`: it gets what is after it, up to `head`, before anything else. */
void session_catch_up(struct session *session, uint64_t offset, uint64_t head);

/* The sequencer's NEED_FILL. */
void session_fill(struct session *session, uint64_t from, uint64_t to);

/* The client has processed everything up to `offset`, which is in the inbox. */
void session_acked(struct session *session, uint64_t offset);

/* The window is full: what comes is forgotten until there is room. */
void session_stall(struct session *session);

/* What is due of doubts and reads. */
void session_watch(struct session *session, uint64_t now_ms);

/* When session_watch() is to be called; UINT64_MAX: nothing is waited for. */
uint64_t session_watch_deadline(const struct session *session);

/* Nothing is read for it any more. */
void session_forget_read(struct session *session);

/* ---- session_write.c ---- */

/* Takes the reference. A queue that is full closes the connection. */
err_t session_write_message(struct session *session, struct fanout_share *share, enum audience audience, uint64_t offset);
void session_write_frame(struct session *session, const Skein__V1__ServerFrame *frame);

void session_write_error(struct session *session, const char *rid, const char *code, const char *message);
void session_write_resync(struct session *session, uint64_t epoch);
void session_write_sync_more(struct session *session, uint64_t next_offset);
void session_write_reconnect(struct session *session, uint64_t after_ms, const char *url); /* url NULL: wherever */

/* Writes what waits, as far as the socket takes it. */
void session_flush(struct session *session);

/* Lets go of what waits. */
void session_drop_output(struct session *session);

#endif
