#include "gateway/session/session.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/telemetry/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/sabotage.h"
#include "gateway/app.h"
#include "gateway/wire/handshake.h"
#include "cluster/inbox_epoch.h"

#define OPENING_TIMEOUT_MS 8000 /* im has IM_CALL_TIMEOUT_MS; a router may be found not to answer on the way */

static struct gateway_metrics *metrics_of(const struct session *session)
{
	return &session->home->app->metrics;
}

/* ---- the handshake ---- */

static void name_session(struct session *session, const struct handshake *handshake)
{
	struct buf names = { 0 };

	buf_append(&names, handshake->claims.uid, strlen(handshake->claims.uid) + 1);
	session->device_at = (uint16_t)names.len;
	buf_append(&names, handshake->device, strlen(handshake->device) + 1);
	session->platform_at = (uint16_t)names.len;
	buf_append(&names, handshake->platform, strlen(handshake->platform) + 1);
	session->names = memcpy(mem_alloc(names.len), names.ptr, names.len);
	buf_release(&names);
}

static struct opening *opening_new(const struct handshake *handshake)
{
	struct opening *opening = MEM_NEW(struct opening);

	opening->has_position = handshake->has_position;
	opening->client_epoch = handshake->epoch;
	opening->client_offset = handshake->offset;
	return opening;
}

static void opening_free(struct opening *opening)
{
	buf_release(&opening->early);
	mem_free(opening);
}

static err_t take_place(struct app *app, const char **detail)
{
	if (atomic_fetch_add(&app->connections, 1) < (unsigned)app->config.ws_max_connections)
		return OK;
	atomic_fetch_sub(&app->connections, 1);
	*detail = "this node has as many connections as it takes";
	return ERR_UNAVAILABLE;
}

static bool may_take_in(const struct ws_worker *home, const char **detail)
{
	if (home->is_leaving)
		*detail = "this node goes away";
	else if (route_link_is_away(&home->app->routes, clock_mono_ms()))
		*detail = "this node has no router at this moment";
	else
		return true;
	return false;
}

static enum handshake_outcome outcome_of(err_t err)
{
	if (err == ERR_UNAUTHENTICATED)
		return HANDSHAKE_UNAUTHENTICATED;
	return err == ERR_INVALID_ARGUMENT ? HANDSHAKE_INVALID : HANDSHAKE_FULL;
}

static err_t on_accept(const struct ws_handshake *request, unsigned subprotocol, void *memory, const char **detail, void *arg)
{
	struct ws_worker *home = arg;
	struct session *session = memory;
	struct handshake handshake;

	if (!may_take_in(home, detail)) {
		counter_add(home->app->metrics.handshakes[HANDSHAKE_UNAVAILABLE], 1);
		return ERR_UNAVAILABLE;
	}
	err_t err = handshake_read(&handshake, request, home->app->keys, detail);
	if (!err)
		err = take_place(home->app, detail);
	if (err) {
		counter_add(home->app->metrics.handshakes[outcome_of(err)], 1);
		return err;
	}
	session->home = home;
	session->subprotocol = (uint8_t)subprotocol;
	session->expires_ms = handshake.claims.expires_ms;
	session->never_acks = handshake.never_acks;
	memcpy(session->token_id, handshake.token_id, sizeof(session->token_id));
	session->opening = opening_new(&handshake);
	name_session(session, &handshake);
	list_init(&session->dirty);
	list_init(&session->sends);
	return OK;
}

/* ---- deadlines ---- */

static uint64_t expiry_deadline(const struct session *session, uint64_t now_ms)
{
	uint64_t wall_ms = clock_wall_ms();

	return session->expires_ms > wall_ms ? now_ms + (session->expires_ms - wall_ms) : now_ms;
}

static void arm(struct session *session, uint64_t now_ms)
{
	const struct gateway_config *config = &session->home->app->config;
	uint64_t deadline = MIN(session->ping_ms, session->heard_ms + (uint64_t)config->ws_silence_ms);

	deadline = MIN(deadline, expiry_deadline(session, now_ms));
	deadline = MIN(deadline, session_watch_deadline(session));
	if (session->opening)
		deadline = MIN(deadline, session->opening->deadline_ms);
	if (sequencer_deadline(&session->sequencer))
		deadline = MIN(deadline, sequencer_deadline(&session->sequencer));
	worker_arm(&session->home->worker, &session->timer, deadline);
}

void session_clock_was_set(struct session *session)
{
	if (session->state == SESSION_OPENING || session->state == SESSION_LIVE)
		arm(session, clock_mono_ms());
}

void session_wake_at(struct session *session, uint64_t deadline_ms)
{
	if (session->state == SESSION_LIVE && session->timer.deadline_ms > deadline_ms)
		worker_arm(&session->home->worker, &session->timer, deadline_ms);
}

static void ping(struct session *session, uint64_t now_ms)
{
	ws_ping(session->conn);
	session->ping_ms = now_ms + (uint64_t)session->home->app->config.ws_heartbeat_ms;
}

static void on_timer(struct timer *timer)
{
	struct session *session = container_of(timer, struct session, timer);
	uint64_t now_ms = clock_mono_ms();

	if (session->opening && now_ms >= session->opening->deadline_ms)
		session_close(session, 1013, session->is_binding ? "router did not answer" : "im did not answer");
	else if (clock_wall_ms() >= session->expires_ms)
		session_close(session, 4002, "the token has expired");
	else if (now_ms >= session->heard_ms + (uint64_t)session->home->app->config.ws_silence_ms)
		session_close(session, 1008, "silent for too long");
	else if (now_ms >= session->ping_ms)
		ping(session, now_ms);
	if (session->state == SESSION_LIVE)
		session_watch(session, now_ms);
	if (session->state == SESSION_LIVE)
		session_release(session, now_ms);
	if (session->state == SESSION_OPENING || session->state == SESSION_LIVE)
		arm(session, now_ms);
}

/* ---- OPENING ---- */

static void ask_router(struct session *session, enum route_op op)
{
	route_change_submit(session->home, op, session->id, session_uid(session), session_device(session),
	                    session_platform(session), session->since_ms);
}

static void bind_route(struct session *session, enum route_op op)
{
	session->has_route = true;
	session->is_binding = true;
	ask_router(session, op);
}

static void on_opened(struct ws_conn *conn, void *memory, void *arg)
{
	struct session *session = memory;
	struct ws_worker *home = arg;
	uint64_t now_ms = clock_mono_ms();

	session->conn = conn;
	session->state = SESSION_OPENING;
	session->since_ms = clock_wall_ms();
	session->heard_ms = now_ms;
	session->ping_ms = now_ms + 1 + random_below((uint64_t)home->app->config.ws_heartbeat_ms);
	session->opening->deadline_ms = now_ms + OPENING_TIMEOUT_MS;
	sequencer_init(&session->sequencer, &session_sequencer_rules);
	timer_init(&session->timer, on_timer);
	session->id = conn_table_add(&home->table, session);
	if (!session->id) {
		session_close(session, 1013, "this node is full");
		return;
	}
	log_debug("connection opened", LOG_U64("conn", session->id), LOG_TEXT("uid", session_uid(session)),
	          LOG_TEXT("device", session_device(session)), LOG_STR("address", ws_address(conn)));
	session_ask_admission(session);
	arm(session, now_ms);
}

static void write_hello(struct session *session, const struct opening *opening)
{
	Skein__V1__ServerFrame frame = SKEIN__V1__SERVER_FRAME__INIT;
	Skein__V1__Hello hello = SKEIN__V1__HELLO__INIT;
	const struct gateway_config *config = &session->home->app->config;
	char conn[21], epoch[INBOX_EPOCH_TEXT], head[21];

	snprintf(conn, sizeof(conn), "%llu", (unsigned long long)session->id);
	snprintf(head, sizeof(head), "%llu", (unsigned long long)opening->head);
	inbox_epoch_text(epoch, opening->epoch);
	hello.node = config->common.node_name;
	hello.conn = conn;
	hello.uid = (char *)session_uid(session);
	hello.device = (char *)session_device(session);
	hello.heartbeat_s = (uint32_t)MAX(1, config->ws_heartbeat_ms / 1000);
	hello.epoch = epoch;
	hello.head = head;
	frame.frame_case = SKEIN__V1__SERVER_FRAME__FRAME_HELLO;
	frame.hello = &hello;
	session_write_frame(session, &frame);
}

/* Where the client says it is, is nowhere in this inbox. */
static bool is_lost(const struct opening *opening)
{
	return opening->has_position &&
	       (opening->client_epoch != opening->epoch || opening->client_offset > opening->head);
}

/* The number up to which nothing is owed to the client. */
static uint64_t first_position(const struct opening *opening)
{
	return opening->has_position && !is_lost(opening) ? opening->client_offset : opening->head;
}

static void go_live(struct session *session)
{
	struct opening *opening = session->opening;
	uint64_t now_ms = clock_mono_ms();

	session->opening = NULL;
	session->state = SESSION_LIVE;
	counter_add(metrics_of(session)->handshakes[HANDSHAKE_OK], 1);
	write_hello(session, opening);
	if (is_lost(opening))
		session_write_resync(session, opening->epoch);
	ack_window_restart(&session->window, first_position(opening));
	sequencer_start(&session->sequencer, opening->epoch, first_position(opening) + 1, now_ms);
	if (first_position(opening) < opening->head)
		session_catch_up(session, opening->client_offset, opening->head);
	session_release(session, now_ms);
	session_receive_early(session, opening);
	opening_free(opening);
	session_tell_to_move(session);
}

/* ---- away ---- */

void session_tell_to_move(struct session *session)
{
	const struct elsewhere *elsewhere = session->home->elsewhere;
	uint64_t now_ms = clock_mono_ms(), until_ms = session->home->move_until_ms;

	if (!elsewhere || session->state != SESSION_LIVE)
		return;
	const char *url = elsewhere->shares ? elsewhere_pick(elsewhere, random_below(elsewhere->shares)) : NULL;
	session_write_reconnect(session, until_ms > now_ms ? random_below(until_ms - now_ms + 1) : 0, url);
}

void session_admitted(struct session *session, err_t err)
{
	session->needs_admission = err != OK;
	if (err == ERR_UNAUTHENTICATED) {
		session_close(session, 4002, "the user may not connect with this token");
	} else if (session->state != SESSION_OPENING) {
		return; /* asked again: the next renewal sees to it */
	} else if (err) {
		log_warn("im did not admit a user", LOG_TEXT("uid", session_uid(session)), LOG_ERR(err));
		session_close(session, 1013, "im does not answer: try again");
	} else if (sabotaged(SABOTAGE_SYNC_FIRST) && !session->opening->knows_head) {
		session_read_head(session);
	} else {
		bind_route(session, ROUTE_BIND);
	}
}

/* ---- the route ---- */

static void on_first_bind(struct session *session, const struct route_change *change)
{
	struct opening *opening = session->opening;

	if (change->err || !change->inbox_epoch || change->inbox_head >= SEQUENCER_MAX_OFFSET) {
		log_warn("router did not bind a connection", LOG_TEXT("uid", session_uid(session)), LOG_ERR(change->err));
		session_close(session, 1013, "router does not answer: try again");
		return;
	}
	if (!opening->knows_head) {
		opening->epoch = change->inbox_epoch;
		opening->head = change->inbox_head;
	}
	go_live(session);
}

/* The route had been forgotten, or push took the node for dead: what was appended to the inbox in the meantime found nobody. */
static void on_bound_again(struct session *session, const struct route_change *change)
{
	uint64_t now_ms = clock_mono_ms();

	if (change->err == ERR_FAILED_PRECONDITION)
		session_close(session, 4001, "a newer connection took its place");
	if (change->err || !change->inbox_epoch || change->inbox_head >= SEQUENCER_MAX_OFFSET)
		return; /* the next renewal tries again */
	session->doubts_route = false;
	session_ask_admission(session);
	sequencer_learn(&session->sequencer, change->inbox_epoch, change->inbox_head, now_ms);
	session_release(session, now_ms);
}

static void on_renewed(struct session *session, const struct route_change *change)
{
	if (change->err)
		return;
	ws_worker_note_renewal(session->home, change->kept);
	if (!change->kept || session->doubts_route)
		bind_route(session, ROUTE_REBIND);
}

void session_route_answered(struct session *session, const struct route_change *change)
{
	switch (change->op) {
	case ROUTE_BIND:
		session->is_binding = false;
		if (session->state == SESSION_OPENING)
			on_first_bind(session, change);
		break;
	case ROUTE_REBIND:
		session->is_binding = false;
		if (session->state == SESSION_LIVE)
			on_bound_again(session, change);
		break;
	case ROUTE_RENEW:
		session->is_renewing = false;
		if (session->state == SESSION_LIVE)
			on_renewed(session, change);
		break;
	case ROUTE_UNBIND:
		break;
	}
}

void session_renew(struct session *session)
{
	if (session->state != SESSION_LIVE || session->is_binding || session->is_renewing)
		return;
	if (session->needs_admission)
		session_ask_admission(session);
	if (session->doubts_route) {
		bind_route(session, ROUTE_REBIND);
		return;
	}
	session->is_renewing = true;
	ask_router(session, ROUTE_RENEW);
}

/* ---- the end ---- */

/* Nothing finds the connection by its id any more. */
static void depart(struct session *session)
{
	if (!session->id)
		return;
	if (session->has_route)
		ask_router(session, ROUTE_UNBIND);
	conn_table_remove(&session->home->table, session->id);
	session->id = 0;
	worker_cancel(&session->home->worker, &session->timer);
	session_forget_sends(session);
	session_drop_output(session);
	session_forget_read(session);
	sequencer_release(&session->sequencer);
	ack_window_release(&session->window);
}

static void give_up_opening(struct session *session, enum handshake_outcome outcome)
{
	if (!session->opening)
		return;
	counter_add(metrics_of(session)->handshakes[outcome], 1);
	opening_free(session->opening);
	session->opening = NULL;
}

void session_close(struct session *session, uint16_t code, const char *reason)
{
	if (session->state != SESSION_OPENING && session->state != SESSION_LIVE)
		return;
	if (code == 4002)
		give_up_opening(session, HANDSHAKE_UNAUTHENTICATED);
	else
		give_up_opening(session, code == 1013 ? HANDSHAKE_UNAVAILABLE : HANDSHAKE_LEFT);
	session_flush(session);
	session->state = SESSION_CLOSING;
	log_debug("connection closed", LOG_U64("conn", session->id), LOG_NUM("code", code), LOG_TEXT("reason", reason));
	depart(session);
	ws_close(session->conn, code, reason);
}

static void on_closed(struct ws_conn *conn, void *memory, uint16_t code, void *arg)
{
	struct session *session = memory;
	struct ws_worker *home = arg;
	(void)conn;

	if (session->state != SESSION_NEW)
		gateway_metrics_closed(&home->app->metrics, code);
	session->state = SESSION_CLOSING;
	give_up_opening(session, HANDSHAKE_LEFT);
	depart(session);
	mem_free(session->names);
	session->names = NULL;
	atomic_fetch_sub(&home->app->connections, 1);
}

/* ---- what comes in ---- */

static void on_message(struct ws_conn *conn, void *memory, bool is_binary, struct str message, void *arg)
{
	struct session *session = memory;
	struct app *app = ((struct ws_worker *)arg)->app;
	(void)conn;

	if (session->state != SESSION_OPENING && session->state != SESSION_LIVE)
		return;
	counter_add(app->metrics.frames_in, 1);
	counter_add(app->metrics.bytes_in, message.len);
	if (is_binary != (session->subprotocol == SUBPROTOCOL_PROTO))
		session_close(session, 1003, is_binary ? "this subprotocol is text" : "this subprotocol is binary");
	else if (app->config.limits_enabled &&
	         !rate_limit_take(&session->frames, (double)app->config.limits_frame_rate,
	                          (double)app->config.limits_frame_burst, clock_mono_ms()))
		session_close(session, 4006, "too many frames");
	else
		session_receive(session, message);
}

static void on_alive(struct ws_conn *conn, void *memory, void *arg)
{
	(void)conn;
	(void)arg;
	((struct session *)memory)->heard_ms = clock_mono_ms();
}

static void on_pong(struct ws_conn *conn, void *memory, struct str payload, void *arg)
{
	(void)conn;
	(void)payload;
	(void)arg;
	ack_window_ponged(&((struct session *)memory)->window);
}

static void on_writable(struct ws_conn *conn, void *memory, void *arg)
{
	(void)conn;
	(void)arg;
	session_flush(memory);
}

const struct ws_handlers session_handlers = {
	.accept = on_accept,
	.opened = on_opened,
	.message = on_message,
	.alive = on_alive,
	.pong = on_pong,
	.writable = on_writable,
	.closed = on_closed,
};
