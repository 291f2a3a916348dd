#include "gateway/session/session_order.h"

#include "base/mem.h"
#include "base/sabotage.h"
#include "gateway/config.h"
#include "gateway/gateway_metrics.h"
#include "gateway/session/session.h"
#include "gateway/session/session_frames.h"
#include "gateway/session/session_receipts.h"
#include "gateway/session/session_submit.h"
#include "gateway/wire/message_frame.h"

/* Most that the sequencer may hold for one connection. */
#define ORDER_HELD_MAX 64
#define ORDER_HELD_BYTES_MAX (64 * 1024)
#define ORDER_HOLE_MS 200

#define ORDER_PAGE_MAX 50
#define ORDER_CATCH_UP_MAX 20 /* missed messages that a client gets; it reads the rest over HTTP: contract section 4 */
#define ORDER_HOLE_MAX 500 /* a client reads a larger hole itself, over HTTP */

static void order_let_go(void *item)
{
	worker_frame_unref(item);
}

const struct sequencer_rules session_sequencer_rules = {
	.max_held = ORDER_HELD_MAX,
	.max_held_bytes = ORDER_HELD_BYTES_MAX,
	.max_hole_ms = ORDER_HOLE_MS,
	.let_go = order_let_go,
};

/* ---- reading ---- */

uint32_t session_page_size(const struct inbox_read *read)
{
	const struct session *session = read->session;
	uint64_t size = MIN(read->to - read->after, ORDER_PAGE_MAX);

	if (read->purpose == READ_CATCH_UP)
		return ORDER_CATCH_UP_MAX;
	if (read->purpose == READ_HOLE && !session->never_acks)
		size = MIN(size, ack_window_room(&session->window, &session->home->ack_limits));
	return (uint32_t)size;
}

void session_queue_read(struct session *session)
{
	struct inbox_read *read = session->read;

	inbox_reader_queue(&session->home->reader, read);
	if (read->deadline_ms)
		session_wake_at(session, read->deadline_ms);
}

void session_read_inbox(struct session *session, enum read_purpose purpose, uint64_t after, uint64_t to)
{
	struct inbox_read *read = MEM_NEW(struct inbox_read);

	list_init(&read->waiting);
	read->session = session;
	read->conn = session->id;
	read->uid = session_uid(session);
	read->purpose = purpose;
	read->epoch = session->sequencer.epoch;
	read->after = after;
	read->to = to;
	session->read = read;
	session_queue_read(session);
}

static void order_fill(struct session *session, uint64_t from, uint64_t to)
{
	if (to - from >= ORDER_HOLE_MAX) {
		counter_add(session->home->metrics->syncs[SYNC_TOO_FAR], 1);
		sequencer_skip(&session->sequencer);
	} else if (!session->read) {
		session_read_inbox(session, READ_HOLE, from - 1, to);
	}
	/* Otherwise pages_finish() finds the hole when the read under way has ended. */
}

/* ---- sending ---- */

err_t session_queue_message(struct session *session, struct worker_frame *frame, enum viewer viewer, uint64_t offset)
{
	const struct out_entry entry = {
		.ref = frame,
		.offset = offset,
		.bytes = (uint32_t)message_frame_max(frame->shared, viewer, session->subprotocol),
		.kind = viewer == VIEWER_SENDER ? OUT_OWN_MESSAGE : OUT_MESSAGE,
	};

	return session_queue(session, &entry);
}

/* A message of another user in a one-to-one conversation: the sender is told when it is acked. */
static bool order_wants_receipt(const struct session *session, const struct message_name *name, enum viewer viewer)
{
	return name && viewer == VIEWER_OTHER && session->home->config->delivered_events &&
	       strcmp(message_name_recipient(name), session_uid(session)) == 0;
}

/* A numbered message waits for an ack, unless the client never sends one (ack=0). */
static err_t order_send(struct session *session, struct worker_frame *frame, enum viewer viewer, uint64_t offset,
                        uint64_t now_ms)
{
	const struct ack_limits *limits = &session->home->ack_limits;
	struct message_name *name = frame->shared->name;
	uint32_t bytes = (uint32_t)message_frame_max(frame->shared, viewer, session->subprotocol);
	bool wants_receipt = !session->never_acks && offset > session->window.acked && order_wants_receipt(session, name, viewer);

	if (wants_receipt)
		unacked_add(&session->unacked, session->sequencer.epoch, offset, message_name_ref(name));
	err_t err = session_queue_message(session, frame, viewer, offset);
	if (err || session->never_acks)
		return err;
	ack_window_add(&session->window, offset, bytes, now_ms);
	if (ack_window_messages(&session->window))
		session_wake_at(session, ack_window_deadline(&session->window, limits));
	if (ack_window_is_full(&session->window, limits)) {
		/* Until the window has room, further messages stay in the inbox. */
		counter_add(session->home->metrics->window_stalls, 1);
		sequencer_pause(&session->sequencer);
	}
	return OK;
}

static void order_resync(struct session *session, uint64_t epoch, uint64_t now_ms)
{
	session_write_resync(session, epoch);
	/* The window's number is one of the epoch before if this is the first that the client hears of this one. */
	session_leave_to_client(session, session->pulled.epoch == session->sequencer.epoch ? session->window.acked : 0,
	                        sequencer_given_out(&session->sequencer));
	/* The client reads all messages that it does not have: messages in flight need no ack. */
	ack_window_restart(&session->window, sequencer_given_out(&session->sequencer));
	if (session->sequencer.is_paused)
		sequencer_resume(&session->sequencer, now_ms);
}

void session_send_due(struct session *session, uint64_t now_ms)
{
	struct sequencer_effect effect;
	enum sequencer_action action;

	while (session->state == SESSION_LIVE &&
	       (action = sequencer_take(&session->sequencer, now_ms, &effect)) != SEQUENCER_NOTHING) {
		switch (action) {
		case SEQUENCER_SEND:
			/* A message that cannot be queued closes the connection; the loop ends then. */
			(void)!order_send(session, effect.record.item, effect.record.tag, effect.record.offset, now_ms);
			break;
		case SEQUENCER_RESYNC:
			order_resync(session, effect.epoch, now_ms);
			break;
		case SEQUENCER_NEED_FILL:
			order_fill(session, effect.from, effect.to);
			break;
		default:
			return;
		}
	}
	if (session->state == SESSION_LIVE && sequencer_deadline(&session->sequencer))
		session_wake_at(session, sequencer_deadline(&session->sequencer));
}

/* ---- delivering ---- */

static enum verdict order_deliver_frame(struct session *session, uint64_t epoch, uint64_t offset, struct worker_frame *frame,
                                        enum viewer viewer, uint64_t now_ms)
{
	const struct shared_frame *shared = frame->shared;
	struct gateway_metrics *metrics = session->home->metrics;
	err_t err = OK;
	bool waits = viewer == VIEWER_SENDER && session->send_count &&
	             session_awaits(session, shared->client_msg_id, offset);

	if (sabotaged(SABOTAGE_NO_SEQUENCER) && session->state == SESSION_LIVE && epoch == session->sequencer.epoch &&
	    offset > session->sequencer.next)
		sequencer_jump(&session->sequencer, offset, now_ms);
	if (!waits && sequencer_pass(&session->sequencer, epoch, offset)) {
		err = order_send(session, worker_frame_ref(frame), viewer, offset, now_ms);
		return err ? VERDICT_LAGGING : VERDICT_QUEUED;
	}
	const struct sequencer_record record = {
		.epoch = epoch,
		.offset = offset,
		.item = frame,
		.bytes = (uint32_t)shared->tails[viewer][session->subprotocol].len,
		.tag = (uint8_t)viewer,
		.waits = waits,
	};
	switch (sequencer_record(&session->sequencer, &record, now_ms)) {
	case SEQUENCER_SEND:
		err = order_send(session, worker_frame_ref(frame), viewer, offset, now_ms);
		break;
	case SEQUENCER_HOLD:
		worker_frame_ref(frame);
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

enum verdict session_deliver(struct session *session, uint64_t epoch, uint64_t offset, struct worker_frame *frame,
                             enum viewer viewer, uint64_t now_ms)
{
	const struct sequencer *sequencer = &session->sequencer;
	enum verdict verdict = VERDICT_LAGGING;

	if (frame)
		verdict = order_deliver_frame(session, epoch, offset, frame, viewer, now_ms);
	else
		sequencer_learn(&session->sequencer, epoch, offset, now_ms);
	/* Other records may be sent now, or a resync or a hole may be due. */
	if (sequencer->hold || sequencer->owes_resync || sequencer->hole_deadline_ms)
		session_send_due(session, now_ms);
	return verdict;
}
