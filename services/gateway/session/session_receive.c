#include "gateway/session/session_receive.h"

#include "gateway/config.h"
#include "gateway/session/opening.h"
#include "gateway/session/session.h"
#include "gateway/session/session_acks.h"
#include "gateway/session/session_frames.h"
#include "gateway/session/session_order.h"
#include "gateway/session/session_signals.h"
#include "gateway/session/session_submit.h"
#include "gateway/wire/client_frame.h"
#include "net/ws/ws_budget.h"

static void receive_on_sent(struct session *session, uint64_t held_offset)
{
	if (held_offset && session->state == SESSION_LIVE) {
		sequencer_let_pass(&session->sequencer, held_offset);
		session_send_due(session, session_now_ms(session));
	}
	if (session->closes_when_answered && session->send_count == 0)
		session_close(session, 1001, "this node goes away");
}

/* The frame waits for hello. */
static void receive_too_early(struct session *session, struct str message)
{
	size_t kept = session->opening->early.len;
	struct ws_budget *budget = session->home->handshakes;

	if (!opening_keep_frame(session->opening, message)) {
		session_close(session, 1008, "wait for hello");
	} else if (!ws_budget_take(budget, session->opening->early.len - kept)) {
		session->opening->early.len = kept;
		session_close(session, 1013, "too many clients wait for hello");
	}
}

/* Over the rate; a client that goes on is closed by open_on_frames(), which counts fragments and control frames, too. */
static bool receive_is_too_fast(struct session *session)
{
	const struct gateway_config *config = session->home->config;

	return config->limits_enabled && !rate_limit_take(&session->requests, (double)config->limits_frame_rate,
	                                                  (double)config->limits_frame_burst, session_now_ms(session));
}

static void receive_ack(struct session *session, uint64_t offset)
{
	if (offset <= sequencer_reach(&session->sequencer)) /* sent here, or read over HTTP */
		session_acked(session, offset);
	else if (offset > sequencer_old_reach(&session->sequencer)) /* otherwise it is of the epoch before */
		session_write_error(session, "", err_code(ERR_INVALID_ARGUMENT), "offset was never given out");
}

static void receive_frame(struct session *session, const struct client_frame *frame, err_t err)
{
	if (err) {
		session_write_error(session, frame->rid, err_code(err), frame->detail);
		return;
	}
	switch (frame->kind) {
	case CLIENT_PING:
		session_write_pong(session);
		break;
	case CLIENT_SEND:
		session_submit(session, frame, receive_on_sent);
		break;
	case CLIENT_ACK:
		receive_ack(session, frame->offset);
		break;
	case CLIENT_READ:
		session_read_mark(session, frame);
		break;
	case CLIENT_TYPING:
		session_typing(session, frame);
		break;
	case CLIENT_WATCH:
		session_watch(session, frame);
		break;
	}
}

void session_receive(struct session *session, struct str message)
{
	struct client_frame frame;

	if (session->state == SESSION_OPENING) {
		receive_too_early(session, message);
		return;
	}
	bool is_too_fast = receive_is_too_fast(session);
	err_t err = client_frame_read(&frame, session->subprotocol, message, session_uid(session));

	if (err == ERR_PROTOCOL) {
		session_close(session, 4003, frame.detail);
	} else if (is_too_fast) {
		session_write_error(session, frame.rid, err_code(ERR_RATE_LIMITED),
		                    "too many frames in a short time: wait a second");
		/* A dropped ack would cost a resend. Taking it is cheaper. */
		if (!err && frame.kind == CLIENT_ACK)
			receive_ack(session, frame.offset);
	} else {
		receive_frame(session, &frame, err);
	}
	client_frame_release(&frame);
}

void session_receive_early(struct session *session, const struct opening *opening)
{
	struct str rest = buf_str(&opening->early), frame;

	while (session->state == SESSION_LIVE && opening_next_frame(&rest, &frame))
		session_receive(session, frame);
}
