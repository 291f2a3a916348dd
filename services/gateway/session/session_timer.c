#include "gateway/session/session_timer.h"

#include "base/clock.h"
#include "base/random.h"
#include "cluster/conn_opening.h"
#include "gateway/config.h"
#include "gateway/session/opening.h"
#include "gateway/session/session.h"
#include "gateway/session/session_acks.h"
#include "gateway/session/session_order.h"
#include "gateway/session/session_pages.h"
#include "loop/worker.h"
#include "net/ws/ws_server.h"

static uint64_t timer_expiry(const struct session *session, uint64_t now_ms)
{
	uint64_t wall_ms = clock_wall_ms();

	return session->expires_ms > wall_ms ? now_ms + (session->expires_ms - wall_ms) : now_ms;
}

static void timer_add(uint64_t *deadline, uint64_t other)
{
	if (other)
		*deadline = MIN(*deadline, other);
}

static void timer_arm_earliest(struct session *session, uint64_t now_ms)
{
	const struct session_home *home = session->home;
	uint64_t deadline = MIN(session->ping_ms, session->heard_ms + (uint64_t)home->config->ws_silence_ms);

	timer_add(&deadline, timer_expiry(session, now_ms));
	timer_add(&deadline, ack_window_deadline(&session->window, &home->ack_limits));
	timer_add(&deadline, sequencer_deadline(&session->sequencer));
	timer_add(&deadline, session->read ? session->read->deadline_ms : 0);
	timer_add(&deadline, session->opening ? session->opening->deadline_ms : 0);
	worker_arm(home->worker, &session->timer, deadline);
}

/* How long a client waits for im before its upgrade. */
#define ASK_MS 1000

/* At 54 s (the default) and 10,000 connections 80 pings leave together, twice a second. */
#define PING_STEPS 128
#define PING_STEP_MAX_MS 500

uint64_t session_timer_next_ping(uint64_t now_ms, uint64_t heartbeat_ms)
{
	uint64_t step_ms = MAX(1, MIN(PING_STEP_MAX_MS, heartbeat_ms / PING_STEPS)), ping_ms = now_ms + heartbeat_ms;

	return ping_ms - ping_ms % step_ms;
}

static void timer_ping(struct session *session, uint64_t now_ms)
{
	ws_ping(session->conn, SESSION_PING);
	session->ping_ms = session_timer_next_ping(now_ms, (uint64_t)session->home->config->ws_heartbeat_ms);
}

static void timer_on_fire(struct timer *timer)
{
	struct session *session = container_of(timer, struct session, timer);
	uint64_t now_ms = session_now_ms(session);
	uint64_t silent_ms = session->heard_ms + (uint64_t)session->home->config->ws_silence_ms;

	if (session->opening && now_ms >= session->opening->deadline_ms)
		session_close(session, 1013,
		              session->route.state == CONN_ROUTE_NONE ? "im did not answer" : "router did not answer");
	else if (clock_wall_ms() >= session->expires_ms)
		session_close(session, 4002, "the token has expired");
	else if (now_ms >= silent_ms)
		session_close(session, 1008, "silent for too long");
	else if (now_ms >= session->ping_ms)
		timer_ping(session, now_ms);
	if (session->state == SESSION_LIVE)
		session_watch_read(session, now_ms);
	if (session->state == SESSION_LIVE)
		session_watch_acks(session, now_ms);
	if (session->state == SESSION_LIVE)
		session_send_due(session, now_ms);
	if (session_is_open(session))
		timer_arm_earliest(session, now_ms);
}

void session_timer_start(struct session *session, uint64_t now_ms)
{
	session->heard_ms = now_ms;
	session->ping_ms = now_ms + 1 + random_below((uint64_t)session->home->config->ws_heartbeat_ms);
	worker_cancel(session->home->worker, &session->timer);
	timer_init(&session->timer, timer_on_fire);
	timer_arm_earliest(session, now_ms);
}

void session_timer_ask(struct session *session, uint64_t now_ms, void (*impatient)(struct timer *timer))
{
	session->opening->deadline_ms = now_ms + CONN_OPENING_MS;
	session->opening->stood_ms = session->home->worker->stood_ms;
	timer_init(&session->timer, impatient);
	worker_arm(session->home->worker, &session->timer, now_ms + ASK_MS);
}

void session_clock_was_set(struct session *session)
{
	if (session_is_open(session))
		timer_arm_earliest(session, session_now_ms(session));
}
