#include "gateway/session/session_open.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/sabotage.h"
#include "base/telemetry/log.h"
#include "gateway/config.h"
#include "gateway/gateway_metrics.h"
#include "gateway/im/admission.h"
#include "gateway/im/inbox_head.h"
#include "gateway/limits/connect_rates.h"
#include "gateway/router/move_targets.h"
#include "gateway/session/opening.h"
#include "gateway/session/session.h"
#include "gateway/session/session_frames.h"
#include "gateway/session/session_order.h"
#include "gateway/session/session_pages.h"
#include "gateway/session/session_receipts.h"
#include "gateway/session/session_receive.h"
#include "gateway/session/session_route.h"
#include "gateway/session/session_timer.h"
#include "gateway/wire/handshake.h"
#include "gateway/wire/server_frame.h"

/* ---- the handshake ---- */

static bool open_may_take_in(const struct session_home *home, const char **detail)
{
	if (home->takes_nobody)
		*detail = "this node goes away";
	else if (route_link_is_away(home->routes, clock_mono_ms()))
		*detail = "this node has no router at this moment";
	else
		return true;
	return false;
}

static enum handshake_outcome open_outcome_of(err_t err)
{
	if (err == ERR_UNAUTHENTICATED)
		return HANDSHAKE_UNAUTHENTICATED;
	if (err == ERR_RATE_LIMITED)
		return HANDSHAKE_RATE_LIMITED;
	return err == ERR_INVALID_ARGUMENT ? HANDSHAKE_INVALID : HANDSHAKE_FULL;
}

static err_t open_read_handshake(struct session_home *home, const struct ws_handshake *request, struct handshake *handshake,
                                 const char **detail)
{
	static const char *const too_many = "too many connections in a short time";

	*detail = too_many;
	if (!connect_rates_take_address(home->connect_rates, request->address))
		return ERR_RATE_LIMITED;
	*detail = "a valid token is required";
	err_t err = handshake_read(handshake, request, home->keys, detail);
	if (err)
		return err;
	*detail = too_many;
	if (!connect_rates_take_user(home->connect_rates, str_from(handshake->claims.uid)))
		return ERR_RATE_LIMITED;
	if (atomic_fetch_add(home->connections, 1) < (unsigned)home->config->ws_max_connections)
		return OK;
	atomic_fetch_sub(home->connections, 1);
	*detail = "this node has as many connections as it takes";
	return ERR_UNAVAILABLE;
}

static err_t open_on_accept(const struct ws_handshake *request, unsigned subprotocol, void *memory, const char **detail,
                            void *arg)
{
	struct session_home *home = arg;
	struct session *session = memory;
	struct handshake handshake;
	struct buf names = { 0 };

	if (!open_may_take_in(home, detail)) {
		counter_add(home->metrics->handshakes[HANDSHAKE_UNAVAILABLE], 1);
		return ERR_UNAVAILABLE;
	}
	err_t err = open_read_handshake(home, request, &handshake, detail);
	if (err) {
		counter_add(home->metrics->handshakes[open_outcome_of(err)], 1);
		return err;
	}
	session->home = home;
	session->subprotocol = (uint8_t)subprotocol;
	session->expires_ms = handshake.claims.expires_ms;
	session->issued_ms = handshake.claims.family_issued_ms;
	session->never_acks = handshake.never_acks;
	memcpy(session->token_id, handshake.claims.token_id, sizeof(session->token_id));
	session->opening = opening_new(handshake.has_position, handshake.epoch, handshake.offset);
	list_init(&session->dirty);
	list_init(&session->sends);
	buf_append(&names, handshake.claims.uid, strlen(handshake.claims.uid) + 1);
	session->device_at = (uint16_t)names.len;
	buf_append(&names, handshake.device, strlen(handshake.device) + 1);
	session->platform_at = (uint16_t)names.len;
	buf_append(&names, handshake.platform, strlen(handshake.platform) + 1);
	session->names = memcpy(mem_alloc(names.len), names.ptr, names.len); /* without the spare capacity of a buf */
	buf_release(&names);
	return OK;
}

/* ---- live: hello, then missed messages ---- */

void session_tell_to_move(struct session *session)
{
	const struct move_targets *targets = session->home->targets;
	uint64_t now_ms = session_now_ms(session), until_ms = session->home->move_until_ms;

	if (!targets || session->state != SESSION_LIVE)
		return;
	const char *url = targets->shares ? move_targets_pick(targets, random_below(targets->shares)) : NULL;
	session_write_reconnect(session, until_ms > now_ms ? random_below(until_ms - now_ms + 1) : 0, url);
}

static void open_go_live(struct session *session)
{
	struct opening *opening = session->opening;
	uint64_t now_ms = session_now_ms(session), position = opening_first_position(opening);
	bool has_stood = opening->stood_ms != session->home->worker->stood_ms;

	session->opening = NULL;
	session->state = SESSION_LIVE;
	counter_add(session->home->metrics->handshakes[HANDSHAKE_OK], 1);
	session_write_hello(session, opening);
	if (opening_is_lost(opening))
		session_write_resync(session, opening->epoch);
	ack_window_restart(&session->window, position);
	sequencer_start(&session->sequencer, opening->epoch, position + 1, now_ms);
	session_leave_to_client(session, 0, position);
	if (opening->has_position && !opening_is_lost(opening))
		session_tell_senders(session, position); /* the client has processed these */
	if (position < opening->head)
		session_catch_up(session, opening->client_offset, opening->head);
	session_send_due(session, now_ms);
	session_receive_early(session, opening);
	session_free_opening(session, opening);
	/* It may have been opening for longer than CONN_OPENING_MS: a logout meanwhile did not find it. */
	if (has_stood && session->state == SESSION_LIVE)
		session_ask_admission(session);
	session_tell_to_move(session);
}

/* ---- opening: admitted, then bound ---- */

static void open_on_not_bound(struct session *session, err_t err)
{
	if (err == ERR_REJECTED) {
		session_close(session, 1008, "too many devices are connected");
		return;
	}
	log_warn("router did not bind a connection", LOG_TEXT("uid", session_uid(session)), LOG_ERR(err));
	session_close(session, 1013, "router does not answer: try again");
}

static void open_on_bound(const struct route_answer *answer, void *home)
{
	struct session *session = session_find(home, answer->conn);

	if (!session || session->state != SESSION_OPENING)
		return;
	struct opening *opening = session->opening;
	if (!session_take_bind_answer(session, answer)) {
		open_on_not_bound(session, answer->err);
		return;
	}
	if (!opening->knows_head) {
		opening->epoch = answer->inbox_epoch;
		opening->head = answer->inbox_head;
	}
	open_go_live(session);
}

static void open_bind(struct session *session)
{
	session_ask_router(session, conn_route_bind(&session->route), open_on_bound);
}

static void open_on_head(struct session *session, uint64_t epoch, uint64_t head)
{
	if (session->state != SESSION_OPENING)
		return;
	session->opening->knows_head = epoch != 0;
	session->opening->epoch = epoch;
	session->opening->head = head;
	open_bind(session);
}

/* im has answered; the connection is up. */
static void open_go_on(struct session *session, err_t err)
{
	if (err == ERR_UNAUTHENTICATED) {
		session_close(session, 4002, "the user may not connect with this token");
	} else if (err) {
		log_warn("im did not admit a user", LOG_TEXT("uid", session_uid(session)), LOG_ERR(err));
		session_close(session, 1013, "im does not answer: try again");
	} else if (sabotaged(SABOTAGE_SYNC_FIRST)) {
		inbox_head_ask(&session->home->im, session->id, session_uid(session), open_on_head);
	} else {
		open_bind(session);
	}
}

/*
 * A user who may not connect is refused before the upgrade. If im does not answer in time, or with an error, the client is
 * upgraded and waits on, or is closed with a code that tells it to try again.
 */
static void open_on_admitted(struct session *session, err_t err)
{
	if (session->state == SESSION_OPENING) {
		open_go_on(session, err);
	} else if (session->state == SESSION_NEW && err == ERR_UNAUTHENTICATED) {
		session_refuse(session, err, NULL);
	} else if (session->state == SESSION_NEW) {
		session->opening->is_answered = true;
		session->opening->admission = err;
		ws_admit(session->conn, OK, NULL);
	}
}

static void open_on_impatient(struct timer *timer)
{
	ws_admit(container_of(timer, struct session, timer)->conn, OK, NULL);
}

static void open_on_ask(struct ws_conn *conn, void *memory, void *arg)
{
	struct session *session = memory;
	struct session_home *home = arg;

	session->conn = conn;
	session->id = conn_table_add(&home->table, session);
	if (!session->id) {
		session_refuse(session, ERR_UNAVAILABLE, "this node is full");
		return;
	}
	sequencer_init(&session->sequencer, &session_sequencer_rules);
	session_timer_ask(session, session_now_ms(session), open_on_impatient);
	admission_ask(&home->im, session->id, session_uid(session), str_of(session->token_id, sizeof(session->token_id)),
	              session->issued_ms, open_on_admitted);
}

static void open_on_opened(struct ws_conn *conn, void *memory, void *arg)
{
	struct session *session = memory;
	(void)arg;

	session->state = SESSION_OPENING;
	session->since_ms = clock_wall_ms();
	log_debug("connection opened", LOG_U64("conn", session->id), LOG_TEXT("uid", session_uid(session)),
	          LOG_TEXT("device", session_device(session)), LOG_STR("address", ws_address(conn)));
	session_timer_start(session, session_now_ms(session));
	if (session->opening->is_answered)
		open_go_on(session, session->opening->admission);
}

/* ---- from the WebSocket server ---- */

static bool open_on_frames(struct ws_conn *conn, void *memory, unsigned count, void *arg)
{
	struct session *session = memory;
	const struct session_home *home = arg;
	const struct gateway_config *config = home->config;
	(void)conn;

	counter_add(home->metrics->frames_in, count);
	if (!config->limits_enabled)
		return true;
	/* Twice the burst: over once of it, session_receive() answers errors and does nothing else. */
	while (count && rate_limit_take(&session->frames, (double)config->limits_frame_rate,
	                                2 * (double)config->limits_frame_burst, session->heard_ms))
		count--;
	if (count)
		session_close(session, 4006, "too many frames");
	return count == 0;
}

static void open_on_message(struct ws_conn *conn, void *memory, bool is_binary, struct str message, void *arg)
{
	struct session *session = memory;
	const struct session_home *home = arg;
	(void)conn;

	if (!session_is_open(session))
		return;
	counter_add(home->metrics->bytes_in, message.len);
	if (is_binary != (session->subprotocol == SUBPROTOCOL_PROTO))
		session_close(session, 1003, is_binary ? "this subprotocol is text" : "this subprotocol is binary");
	else
		session_receive(session, message);
}

static void open_on_alive(struct ws_conn *conn, void *memory, void *arg)
{
	struct session *session = memory;
	(void)conn;
	(void)arg;

	session->heard_ms = session_now_ms(session);
}

static void open_on_pong(struct ws_conn *conn, void *memory, struct str payload, void *arg)
{
	struct session *session = memory;
	(void)conn;
	(void)payload;
	(void)arg;

	ack_window_ponged(&session->window);
}

static void open_on_writable(struct ws_conn *conn, void *memory, void *arg)
{
	(void)conn;
	(void)arg;
	session_write_on(memory);
}

static void open_on_closed(struct ws_conn *conn, void *memory, uint16_t code, void *arg)
{
	struct session *session = memory;
	const struct session_home *home = arg;
	(void)conn;

	if (session->state != SESSION_NEW)
		gateway_metrics_closed(home->metrics, code);
	session_release(session);
}

const struct ws_handlers session_handlers = {
	.accept = open_on_accept,
	.ask = open_on_ask,
	.opened = open_on_opened,
	.frames = open_on_frames,
	.message = open_on_message,
	.alive = open_on_alive,
	.pong = open_on_pong,
	.writable = open_on_writable,
	.closed = open_on_closed,
};
