#include "gateway/session/session.h"

#include <string.h>

#include "base/mem.h"
#include "base/sabotage.h"
#include "base/telemetry/log.h"
#include "gateway/gateway_metrics.h"
#include "gateway/session/opening.h"
#include "gateway/wire/event_frame.h"
#include "gateway/wire/message_frame.h"
#include "loop/worker.h"
#include "net/ws/ws_server.h"

bool session_is_of(const struct session *session, const char *uid, const struct session_tokens *tokens)
{
	return strcmp(session_uid(session), uid) == 0 &&
	       (!tokens->id.len || str_equal(tokens->id, str_of(session->token_id, sizeof(session->token_id)))) &&
	       (!tokens->issued_until_ms || session->issued_ms <= tokens->issued_until_ms);
}

void session_ask_router(struct session *session, enum route_op op, route_answered answered)
{
	const struct route_request request = {
		.op = op,
		.conn = session->id,
		.uid = session_uid(session),
		.device = session_device(session),
		.platform = session_platform(session),
		.since_ms = session->since_ms,
		.home = session->home->worker,
		.answered = answered,
		.arg = session->home,
	};

	if (op != ROUTE_NOTHING)
		route_link_submit(session->home->routes, &request);
}

bool session_take_bind_answer(struct session *session, const struct route_answer *answer)
{
	bool is_bound = !answer->err && answer->inbox_epoch && answer->inbox_head < SEQUENCER_MAX_OFFSET;

	conn_route_bound(&session->route, is_bound);
	return is_bound;
}

void session_wake_at(struct session *session, uint64_t deadline_ms)
{
	if (session->state == SESSION_LIVE && session->timer.deadline_ms > deadline_ms)
		worker_arm(session->home->worker, &session->timer, deadline_ms);
}

/* ---- queueing ---- */

static void session_let_go(const struct out_entry *entry)
{
	if (entry->kind == OUT_FRAME)
		payload_unref(entry->ref);
	else
		worker_frame_unref(entry->ref);
}

/* ---- stalled: the client does not read. Its queue and what the transport holds are counted for the process ---- */

static void session_charge(struct session *session, size_t bytes)
{
	atomic_fetch_add_explicit(&session->home->stalled_bytes->now, bytes, memory_order_relaxed);
}

static void session_discharge(struct session *session, size_t bytes)
{
	atomic_fetch_sub_explicit(&session->home->stalled_bytes->now, bytes, memory_order_relaxed);
}

static void session_begin_stall(struct session *session)
{
	session->held = (uint32_t)MIN(ws_held_bytes(session->conn), UINT32_MAX);
	session_charge(session, session->held + out_queue_bytes(&session->out));
	list_remove(&session->dirty);
	list_push_back(&session->home->stalled, &session->dirty);
}

static void session_end_stall(struct session *session)
{
	if (!session->held)
		return;
	session_discharge(session, session->held + out_queue_bytes(&session->out));
	session->held = 0;
	list_remove(&session->dirty);
}

/* ---- the queue ---- */

static void session_pop(struct session *session)
{
	struct out_entry entry = *out_queue_first(&session->out);

	out_queue_pop(&session->out);
	session->home->queue_bytes -= entry.bytes;
	session_let_go(&entry);
}

static void session_drop_output(struct session *session)
{
	session_end_stall(session);
	while (!out_queue_is_empty(&session->out))
		session_pop(session);
	list_remove(&session->dirty);
}

static err_t session_append(struct session *session, const struct out_entry *entry, const struct out_limits *limits)
{
	struct session_home *home = session->home;

	if (session->state != SESSION_LIVE)
		return ERR_CLOSED;
	err_t err = out_queue_append(&session->out, limits, entry);
	if (err && !ws_is_blocked(session->conn)) {
		/* One turn of the loop may fill the queue of a fast peer. */
		session_flush(session);
		err = out_queue_append(&session->out, limits, entry);
	}
	if (err)
		return err;
	home->queue_bytes += entry->bytes;
	if (session->held)
		session_charge(session, entry->bytes);
	else if (ws_is_blocked(session->conn))
		session_begin_stall(session);
	else if (list_is_empty(&session->dirty))
		list_push_back(&home->dirty, &session->dirty);
	return OK;
}

err_t session_queue(struct session *session, const struct out_entry *entry)
{
	err_t err = session_append(session, entry, &session->home->out_limits);

	if (err == ERR_FULL)
		session_close(session, 4004, "too slow");
	if (err)
		session_let_go(entry);
	return err;
}

err_t session_queue_if_room(struct session *session, const struct out_entry *entry, const struct out_limits *limits)
{
	err_t err = session_append(session, entry, limits);

	if (err)
		session_let_go(entry);
	return err;
}

/* ---- writing ---- */

static size_t session_write_entry(char *out, const struct session *session, const struct out_entry *entry)
{
	enum viewer viewer = entry->kind == OUT_OWN_MESSAGE ? VIEWER_SENDER : VIEWER_OTHER;
	const struct worker_frame *frame = entry->ref;

	if (entry->kind == OUT_MESSAGE || entry->kind == OUT_OWN_MESSAGE)
		return sabotaged_each(SABOTAGE_FRAME_DROPPED, 50) ?
		               0 :
		               message_frame_write(out, frame->shared, viewer, session->subprotocol, entry->offset);
	if (entry->kind == OUT_EVENT)
		return event_frame_write(out, frame->shared, session->subprotocol);
	const struct payload *payload = entry->ref;
	size_t header = ws_frame_header((unsigned char *)out, subprotocol_opcode(session->subprotocol), payload->len);
	memcpy(out + header, payload->bytes, payload->len);
	return header + payload->len;
}

void session_flush(struct session *session)
{
	struct session_home *home = session->home;
	const struct out_entry *entry;

	if (session->held)
		return;
	list_remove(&session->dirty);
	while (!out_queue_is_empty(&session->out) && !ws_is_blocked(session->conn)) {
		size_t len = 0;

		/* One write takes at least one frame, and more up to SESSION_WRITE_SIZE. */
		while ((entry = out_queue_first(&session->out)) && (len == 0 || len + entry->bytes <= SESSION_WRITE_SIZE)) {
			len += session_write_entry(home->scratch + len, session, entry);
			session_pop(session);
			home->frames_out++;
		}
		home->bytes_out += len;
		if (ws_write(session->conn, home->scratch, len)) {
			session_drop_output(session); /* the connection is broken; the server calls `closed` next */
			return;
		}
	}
	if (ws_is_blocked(session->conn))
		session_begin_stall(session);
}

void session_write_on(struct session *session)
{
	session_end_stall(session);
	session_flush(session);
}

unsigned session_drop_messages(struct session *session)
{
	unsigned dropped = 0;

	for (uint32_t left = out_queue_entries(&session->out); left > 0; left--) {
		struct out_entry entry = *out_queue_first(&session->out);

		out_queue_pop(&session->out);
		if (entry.kind == OUT_FRAME && out_queue_append(&session->out, &session->home->out_limits, &entry) == OK)
			continue;
		session->home->queue_bytes -= entry.bytes;
		if (session->held)
			session_discharge(session, entry.bytes);
		session_let_go(&entry);
		dropped++;
	}
	return dropped;
}

/* ---- the end ---- */

/* Removes the connection's id and frees all that it holds. */
static void session_depart(struct session *session)
{
	struct session_home *home = session->home;

	if (!session->id)
		return;
	session_ask_router(session, conn_route_end(&session->route), NULL);
	conn_table_remove(&home->table, session->id);
	session->id = 0;
	worker_cancel(home->worker, &session->timer);
	while (list_pop_front(&session->sends))
		continue; /* each is freed with its call */
	session->send_count = 0;
	session_drop_output(session);
	if (session->read)
		inbox_read_free(session->read);
	session->read = NULL;
	sequencer_release(&session->sequencer);
	ack_window_release(&session->window);
	unacked_clear(&session->unacked);
	if (session->watching) {
		gauge_add(home->metrics->watching, -1);
		watch_list_free(session->watching);
	}
	session->watching = NULL;
	mem_free(session->typing);
	session->typing = NULL;
}

void session_free_opening(struct session *session, struct opening *opening)
{
	ws_budget_give(session->home->handshakes, opening->early.len);
	opening_free(opening);
}

static void session_give_up_opening(struct session *session, enum handshake_outcome outcome)
{
	if (!session->opening)
		return;
	counter_add(session->home->metrics->handshakes[outcome], 1);
	session_free_opening(session, session->opening);
	session->opening = NULL;
}

static enum handshake_outcome session_outcome_of(uint16_t code)
{
	switch (code) {
	case 4002:
		return HANDSHAKE_UNAUTHENTICATED;
	case 1013:
		return HANDSHAKE_UNAVAILABLE;
	default:
		return HANDSHAKE_LEFT;
	}
}

void session_refuse(struct session *session, err_t err, const char *detail)
{
	session_give_up_opening(session, err == ERR_UNAUTHENTICATED ? HANDSHAKE_UNAUTHENTICATED : HANDSHAKE_UNAVAILABLE);
	ws_admit(session->conn, err, detail);
}

void session_close(struct session *session, uint16_t code, const char *reason)
{
	if (!session_is_open(session))
		return;
	session_give_up_opening(session, session_outcome_of(code));
	session_flush(session);
	session->state = SESSION_CLOSING;
	log_debug("connection closed", LOG_U64("conn", session->id), LOG_NUM("code", code), LOG_TEXT("reason", reason));
	session_depart(session);
	ws_close(session->conn, code, reason);
}

void session_release(struct session *session)
{
	session->state = SESSION_CLOSING;
	session_give_up_opening(session, HANDSHAKE_LEFT);
	session_depart(session);
	mem_free(session->names);
	session->names = NULL;
	atomic_fetch_sub(session->home->connections, 1);
}
