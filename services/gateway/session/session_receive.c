#include "base/clock.h"
#include "base/mem.h"
#include "gateway/app.h"
#include "gateway/wire/client_frame.h"
#include "gateway/im/im_call.h"
#include "gateway/session/session.h"
#include "proto/im.pb-c.h"

/* What a client may send before hello. It has no reason to send much. */
#define EARLY_BYTES_MAX (32 * 1024)
#define EARLY_FRAMES_MAX 32

/* A send that im has not answered yet. */
struct pending_send {
	struct im_call call;
	struct list of_session;
	uint64_t held_offset; /* its message waits at this number; 0: it did not come yet */
	char rid[CLIENT_RID_MAX + 1];
	char client_msg_id[CLIENT_MSG_ID_MAX + 1];
};

/* ---- send ---- */

static void write_ack(struct session *session, const struct pending_send *send, const Skein__V1__SendResponse *response)
{
	Skein__V1__ServerFrame frame = SKEIN__V1__SERVER_FRAME__INIT;
	Skein__V1__Ack ack = SKEIN__V1__ACK__INIT;

	ack.rid = (char *)send->rid;
	ack.msg_id = response->msg_id;
	ack.conversation_id = response->conversation_id;
	ack.seq = response->seq;
	ack.time = response->time;
	ack.duplicate = response->duplicate;
	frame.frame_case = SKEIN__V1__SERVER_FRAME__FRAME_ACK;
	frame.ack = &ack;
	session_write_frame(session, &frame);
}

static const char *sentence_of(err_t err, const char *detail)
{
	if (detail && *detail)
		return detail;
	if (err == ERR_TIMEOUT)
		return "no answer in time, the message may have been stored: send it again with the same client_msg_id";
	if (err_http_status(err) == 503)
		return "not stored: try again with the same client_msg_id";
	return err_code(err);
}

static void write_answer(struct session *session, const struct pending_send *send, err_t err, struct str bytes,
                         const char *detail)
{
	Skein__V1__SendResponse *response = NULL;

	if (!err) {
		response = skein__v1__send_response__unpack(NULL, bytes.len, (const uint8_t *)bytes.ptr);
		err = response ? OK : ERR_INTERNAL;
	}
	if (err) {
		counter_add(session->home->app->metrics.send_errors, 1);
		session_write_error(session, send->rid, err_code(err), sentence_of(err, detail));
		return;
	}
	counter_add(session->home->app->metrics.sends, 1);
	write_ack(session, send, response);
	skein__v1__send_response__free_unpacked(response, NULL);
}

static void on_sent(struct im_call *call, struct session *session, err_t err, struct str response, const char *detail)
{
	struct pending_send *send = container_of(call, struct pending_send, call);

	gauge_add(call->home->app->metrics.sends_under_way, -1);
	if (!session)
		return;
	list_remove(&send->of_session);
	session->send_count--;
	write_answer(session, send, err, response, detail);
	if (send->held_offset && session->state == SESSION_LIVE) {
		sequencer_let_pass(&session->sequencer, send->held_offset);
		session_release(session, clock_mono_ms());
	}
	if (session->closes_when_answered && session->send_count == 0)
		session_close(session, 1001, "this node goes away");
}

static void refuse(struct session *session, const struct client_frame *frame, err_t err, const char *sentence)
{
	counter_add(session->home->app->metrics.send_errors, 1);
	session_write_error(session, frame->rid, err_code(err), sentence);
}

static void pass_on(struct session *session, const struct client_frame *frame)
{
	struct gauge *under_way = session->home->app->metrics.sends_under_way;

	if (session->send_count == SESSION_SENDS_MAX) {
		refuse(session, frame, ERR_RATE_LIMITED, "too many sends without an answer: wait for some");
		return;
	}
	if (gauge_value(under_way) >= GATEWAY_SENDS_MAX) {
		refuse(session, frame, ERR_UNAVAILABLE, "too many messages at the moment");
		return;
	}
	gauge_add(under_way, 1);
	struct pending_send *send = MEM_NEW(struct pending_send);
	send->call.retries = IM_CALL_RETRIES; /* the same client_msg_id: it is stored once */
	(void)str_copy(send->rid, sizeof(send->rid), str_from(frame->rid));
	(void)str_copy(send->client_msg_id, sizeof(send->client_msg_id), str_from(frame->client_msg_id));
	list_push_back(&session->sends, &send->of_session);
	session->send_count++;
	im_call_start(&send->call, session, "/skein.v1.Im/Send", buf_str(&frame->request), on_sent);
}

bool session_awaits(struct session *session, struct str client_msg_id, uint64_t offset)
{
	list_for_each(link, &session->sends) {
		struct pending_send *send = container_of(link, struct pending_send, of_session);

		if (str_equal(str_from(send->client_msg_id), client_msg_id)) {
			send->held_offset = offset;
			return true;
		}
	}
	return false;
}

void session_forget_sends(struct session *session)
{
	while (list_pop_front(&session->sends))
		continue; /* im_call.c frees them */
	session->send_count = 0;
}

/* ---- the others ---- */

static void take_ack(struct session *session, uint64_t offset)
{
	/* What was never sent here may have been read over HTTP. */
	if (offset <= sequencer_reach(&session->sequencer))
		session_acked(session, offset);
	else if (!session->sequencer.old_epoch) /* otherwise it may be of the inbox before: it crossed the resync */
		session_write_error(session, "", err_code(ERR_INVALID_ARGUMENT), "offset was never given out");
}

static void write_pong(struct session *session)
{
	Skein__V1__ServerFrame frame = SKEIN__V1__SERVER_FRAME__INIT;
	Skein__V1__Pong pong = SKEIN__V1__PONG__INIT;

	frame.frame_case = SKEIN__V1__SERVER_FRAME__FRAME_PONG;
	frame.pong = &pong;
	session_write_frame(session, &frame);
}

static void obey(struct session *session, const struct client_frame *frame)
{
	switch (frame->kind) {
	case CLIENT_PING:
		write_pong(session);
		break;
	case CLIENT_SEND:
		pass_on(session, frame);
		break;
	case CLIENT_ACK:
		take_ack(session, frame->offset);
		break;
	}
}

/* ---- before hello ---- */

static void keep_early(struct session *session, struct str message)
{
	struct opening *opening = session->opening;
	uint32_t len = (uint32_t)message.len;

	if (opening->early_count == EARLY_FRAMES_MAX || opening->early.len + sizeof(len) + len > EARLY_BYTES_MAX) {
		session_close(session, 1008, "wait for hello");
		return;
	}
	buf_append(&opening->early, &len, sizeof(len));
	buf_append_str(&opening->early, message);
	opening->early_count++;
}

void session_receive_early(struct session *session, struct opening *opening)
{
	const char *at = opening->early.ptr;

	for (unsigned i = 0; i < opening->early_count && session->state == SESSION_LIVE; i++) {
		uint32_t len;

		memcpy(&len, at, sizeof(len));
		session_receive(session, str_of(at + sizeof(len), len));
		at += sizeof(len) + len;
	}
}

void session_receive(struct session *session, struct str message)
{
	struct client_frame frame;

	if (session->state == SESSION_OPENING) {
		keep_early(session, message);
		return;
	}
	err_t err = client_frame_read(&frame, session->subprotocol, message, session_uid(session));
	if (err == ERR_PROTOCOL)
		session_close(session, 4003, frame.detail);
	else if (err)
		session_write_error(session, frame.rid, err_code(err), frame.detail);
	else
		obey(session, &frame);
	client_frame_release(&frame);
}
