#include "gateway/session/session_receipts.h"

#include "gateway/config.h"
#include "gateway/session/session.h"

void session_leave_to_client(struct session *session, uint64_t after, uint64_t up_to)
{
	if (!session->never_acks && session->home->config->delivered_events)
		pulled_add(&session->pulled, session->sequencer.epoch, after, up_to);
}

void session_tell_senders(struct session *session, uint64_t offset)
{
	const uint64_t epoch = session->sequencer.epoch;
	struct message_name *name;
	struct pulled part;

	while ((name = unacked_take(&session->unacked, epoch, offset))) {
		receipt_sender_add(&session->home->receipts, session_uid(session), name->conversation_id, name->seq);
		message_name_unref(name);
	}
	/* Beyond what was sent here the client has read ahead, over HTTP. */
	session_leave_to_client(session, sequencer_given_out(&session->sequencer), offset);
	if (pulled_take(&session->pulled, epoch, offset, &part))
		receipt_sender_add_range(&session->home->receipts, session_uid(session), &part);
}
