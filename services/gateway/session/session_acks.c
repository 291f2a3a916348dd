#include "gateway/session/session_acks.h"

#include "gateway/gateway_metrics.h"
#include "gateway/session/session.h"
#include "gateway/session/session_order.h"
#include "gateway/session/session_receipts.h"
#include "net/ws/ws_server.h"

void session_acked(struct session *session, uint64_t offset)
{
	uint64_t now_ms = session_now_ms(session);

	session_tell_senders(session, offset);
	if (!ack_window_take(&session->window, offset, now_ms) || !session->sequencer.is_paused ||
	    !ack_window_has_room(&session->window, &session->home->ack_limits))
		return;
	sequencer_resume(&session->sequencer, now_ms);
	session_send_due(session, now_ms);
}

static void acks_resend(struct session *session)
{
	counter_add(session->home->metrics->resends, 1);
	if (ws_is_blocked(session->conn)) /* the first copy is not written yet */
		ack_window_resent(&session->window, &session->home->ack_limits, session_now_ms(session));
	else
		session_read_inbox(session, READ_AGAIN, session->window.acked, ack_window_last(&session->window));
}

void session_resend_if_owed(struct session *session)
{
	bool is_owed = session->owes_resend && session->window.doubt == ACK_RESENT;

	session->owes_resend = false;
	if (is_owed)
		acks_resend(session);
}

void session_watch_acks(struct session *session, uint64_t now_ms)
{
	switch (ack_window_step(&session->window, &session->home->ack_limits, now_ms)) {
	case ACK_NOTHING:
		break;
	case ACK_PING:
		ws_ping(session->conn, SESSION_PING);
		break;
	case ACK_RESEND:
		if (session->read)
			session->owes_resend = true;
		else
			acks_resend(session);
		break;
	case ACK_GIVE_UP:
		if (session->window.doubt != ACK_RESENT && !ws_is_blocked(session->conn))
			session_close(session, 4005, "no answer to a ping");
		else if (session->sequencer.is_paused || ws_is_blocked(session->conn))
			session_close(session, 4004, "too slow");
		else
			session_close(session, 4005, "no ack");
		break;
	}
}
