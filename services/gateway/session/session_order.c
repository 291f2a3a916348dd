#include "base/sabotage.h"
#include "gateway/app.h"
#include "gateway/session/session.h"

/* What the sequencer may hold for one connection. */
#define HELD_MAX 64
#define HELD_BYTES_MAX (64 * 1024)
#define HOLE_MS 200

static void let_go(void *item)
{
	fanout_share_unref(item);
}

const struct sequencer_rules session_sequencer_rules = {
	.max_held = HELD_MAX,
	.max_held_bytes = HELD_BYTES_MAX,
	.max_hole_ms = HOLE_MS,
	.let_go = let_go,
};

/* What goes out with a number waits for an ack, unless the client never sends one. */
static err_t send_next(struct session *session, struct fanout_share *share, enum audience audience, uint64_t offset,
                       uint64_t now_ms)
{
	const struct ack_limits *limits = &session->home->app->ack_limits;
	uint32_t bytes = (uint32_t)fanout_frame_max(share->fanout, audience, session->subprotocol);

	err_t err = session_write_message(session, share, audience, offset);
	if (err || session->never_acks)
		return err;
	ack_window_add(&session->window, offset, bytes, now_ms);
	session_wake_at(session, session_watch_deadline(session));
	if (ack_window_is_full(&session->window, limits))
		session_stall(session);
	return OK;
}

static void tell_resync(struct session *session, uint64_t epoch, uint64_t now_ms)
{
	session_write_resync(session, epoch);
	/* The client reads what it has not, whatever is in flight. */
	ack_window_restart(&session->window, sequencer_given_out(&session->sequencer));
	if (session->sequencer.is_paused)
		sequencer_resume(&session->sequencer, now_ms);
}

void session_release(struct session *session, uint64_t now_ms)
{
	struct sequencer_effect effect;
	enum sequencer_action action;

	while (session->state == SESSION_LIVE &&
	       (action = sequencer_take(&session->sequencer, now_ms, &effect)) != SEQUENCER_NOTHING) {
		switch (action) {
		case SEQUENCER_SEND:
			/* One that cannot be queued closes the connection, which says all. */
			(void)!send_next(session, effect.record.item, effect.record.tag, effect.record.offset, now_ms);
			break;
		case SEQUENCER_RESYNC:
			tell_resync(session, effect.epoch, now_ms);
			break;
		case SEQUENCER_NEED_FILL:
			session_fill(session, effect.from, effect.to);
			break;
		default:
			return;
		}
	}
	if (session->state == SESSION_LIVE && sequencer_deadline(&session->sequencer))
		session_wake_at(session, sequencer_deadline(&session->sequencer));
}

/* The sequencer has something to do besides the record that it has just judged. */
static bool has_more_to_do(const struct sequencer *sequencer)
{
	return sequencer->hold || sequencer->owes_resync || sequencer->hole_deadline_ms;
}

static enum verdict deliver_in_turn(struct session *session, const struct sequencer_record *record, uint64_t now_ms)
{
	struct gateway_metrics *metrics = &session->home->app->metrics;
	err_t err = OK;

	switch (sequencer_record(&session->sequencer, record, now_ms)) {
	case SEQUENCER_SEND:
		err = send_next(session, fanout_share_ref(record->item), record->tag, record->offset, now_ms);
		break;
	case SEQUENCER_HOLD:
		fanout_share_ref(record->item);
		counter_add(metrics->held, 1);
		break;
	case SEQUENCER_FORGET:
		counter_add(metrics->forgotten, 1);
		break;
	default:
		counter_add(metrics->duplicates, 1);
	}
	return err ? VERDICT_LAGGING : VERDICT_QUEUED;
}

static enum verdict deliver_readable(struct session *session, uint64_t epoch, uint64_t offset, struct fanout_share *share,
                                     enum audience audience, uint64_t now_ms)
{
	const struct fanout *fanout = share->fanout;
	bool waits = audience == AUDIENCE_OWN && session->send_count &&
	             session_awaits(session, fanout->client_msg_id, offset);

	if (sabotaged(SABOTAGE_NO_SEQUENCER) && session->state == SESSION_LIVE && epoch == session->sequencer.epoch &&
	    offset > session->sequencer.next)
		sequencer_jump(&session->sequencer, offset, now_ms);
	if (!waits && sequencer_pass(&session->sequencer, epoch, offset)) {
		err_t err = send_next(session, fanout_share_ref(share), audience, offset, now_ms);
		return err ? VERDICT_LAGGING : VERDICT_QUEUED;
	}
	const struct sequencer_record record = {
		.epoch = epoch,
		.offset = offset,
		.item = share,
		.bytes = (uint32_t)fanout->tails[audience][session->subprotocol].len,
		.tag = (uint8_t)audience,
		.waits = waits,
	};
	return deliver_in_turn(session, &record, now_ms);
}

enum verdict session_deliver(struct session *session, uint64_t epoch, uint64_t offset, struct fanout_share *share,
                             enum audience audience, uint64_t now_ms)
{
	enum verdict verdict = VERDICT_LAGGING;

	if (share)
		verdict = deliver_readable(session, epoch, offset, share, audience, now_ms);
	else
		sequencer_learn(&session->sequencer, epoch, offset, now_ms);
	if (has_more_to_do(&session->sequencer))
		session_release(session, now_ms);
	return verdict;
}
